"""Files in a bucket of Storage, whole and proven: what was sent is read back, what is read is digested.

A file's name says what it holds, such as by its digest; so sending it twice is the same as once.
"""

import re
from typing import TYPE_CHECKING, Final

from spots_ml.digests import digest_bytes
from spots_ml.errors import ArtifactError
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.refusals import ConflictError, MissingFileError

if TYPE_CHECKING:
    from storage3._sync.file_api import SyncBucketProxy

_PATH: Final = re.compile(r"(?!.*(^|/)\.{1,2}(/|$))[A-Za-z0-9._=-]+(/[A-Za-z0-9._=-]+)*")

_READS: Final = 2
"""A file that came damaged is asked for once more: without a told length a cut answer looks like a whole one."""


class Bucket:
    """A private bucket.

    Args:
        calls: The project.
        name: The bucket's name; the migrations make it.
    """

    def __init__(self, calls: Calls, name: str) -> None:
        self._calls = calls
        self._name = name

    def put(self, path: str, content: bytes, *, content_type: str) -> None:
        """Store a file, and prove that it is there; the same bytes there already are as good.

        Args:
            path: Its name in the bucket: letters, digits, `._=-`, folders apart by `/`.
            content: The whole file.
            content_type: Its media type.

        Raises:
            ArtifactError: When other bytes lie under that name, or other bytes come back than were sent.
            CallError: When a call ends in no answer; nothing refers to the file then, and it may be sent again.
            ValueError: When the path is none.
        """
        self._check(path)

        def upload(bucket: "SyncBucketProxy") -> None:
            bucket.upload(path, content, {"content-type": content_type, "upsert": "false"})

        try:
            self._calls.execute_storage("upload a file", self._name, path, upload, repeat="keyed")
            found = "what was sent"
        except ConflictError:
            found = "what lay there already"
        sha256 = digest_bytes(content)
        stored = self._download(path, sha256)
        if digest_bytes(stored) != sha256:
            raise ArtifactError(
                f"bucket {self._name}, file {path}: {found} has {len(stored):,} bytes with the digest "
                f"{digest_bytes(stored)}; expected {len(content):,} bytes with {sha256}. Nothing refers to it yet; "
                "remove that file from the bucket, then send it again"
            )

    def get(self, path: str, *, sha256: str) -> bytes:
        """Read a file.

        Args:
            path: Its name in the bucket.
            sha256: The digest that its bytes must have, 64 lower-case hexadecimal digits.

        Returns:
            Its bytes.

        Raises:
            ArtifactError: When the bucket does not hold it, or holds other bytes.
            CallError: When a call ends in no answer.
            ValueError: When the path is none.
        """
        self._check(path)
        content = self._download(path, sha256)
        if digest_bytes(content) != sha256:
            raise ArtifactError(
                f"bucket {self._name}, file {path} is damaged: {len(content):,} bytes came with the digest "
                f"{digest_bytes(content)}, expected {sha256}. Remove that file from the bucket, then send it again"
            )
        return content

    def exists(self, path: str) -> bool:
        """Tell whether a file is there; whether it is whole, only `get` says.

        Args:
            path: Its name in the bucket.

        Returns:
            Whether the bucket holds it.

        Raises:
            CallError: When the call ends in no answer.
            ValueError: When the path is none.
        """
        self._check(path)
        try:
            self._calls.execute_storage(
                "look for a file", self._name, path, lambda bucket: bucket.info(path), repeat="read"
            )
        except MissingFileError:
            return False
        return True

    def _download(self, path: str, sha256: str) -> bytes:
        content = b""
        for _ in range(_READS):
            content = self._calls.execute_storage(
                "download a file", self._name, path, lambda bucket: bucket.download(path), repeat="read"
            )
            if digest_bytes(content) == sha256:
                break
        return content

    @staticmethod
    def _check(path: str) -> None:
        if not _PATH.fullmatch(path):
            raise ValueError(f"{path!r} is no path in a bucket; expected such as calling_score/v1/model.onnx")
