"""The files of versions in Storage: `<model_type>/<sha256>.onnx` and `<model_type>/<sha256>.json` in a private bucket.

A file is named by its digest, so that uploading it again changes nothing and nobody can put other bytes in its place.
"""

from typing import Final

from spots_ml.digests import digest_bytes
from spots_ml.errors import ArtifactError
from spots_ml.registry.records import FileLocation, VersionContent
from spots_ml.release.manifest import Manifest
from spots_ml.stores.supabase.storage.bucket import Bucket
from spots_ml.stores.supabase.transport.calls import Calls

BUCKET: Final = "models"


class ModelFiles:
    """The bucket of the models.

    Args:
        calls: The project.
    """

    def __init__(self, calls: Calls) -> None:
        self._bucket = Bucket(calls, BUCKET)

    def keep(self, content: VersionContent, onnx: bytes, manifest: bytes) -> FileLocation:
        """Upload a version's files; the manifest last, so that it is there when everything is.

        Args:
            content: The version.
            onnx: The bytes of `model.onnx`.
            manifest: The bytes of `manifest.json`.

        Returns:
            Where the ONNX file is, for the registry.

        Raises:
            ArtifactError: When the files are not what the content says; nothing is uploaded. When they do not come
                back as they were sent.
            CertificationError: When the manifest does not say which client runtime ran the file.
            CallError: When a call ends in no answer.
        """
        told = {"model.onnx": (onnx, content.sha256), "manifest.json": (manifest, content.manifest_sha256)}
        wrong = [
            f"{name} has the digest {digest_bytes(sent)[:12]}, expected {digest[:12]}"
            for name, (sent, digest) in told.items()
            if digest_bytes(sent) != digest
        ]
        if wrong:
            raise ArtifactError(
                f"the files of {content.model_type} {content.version} are not uploaded: {'; '.join(wrong)}; "
                "restore them from a backup"
            )
        floor = Manifest.from_bytes(manifest).certificate.client_runtime_floor
        self._bucket.put(_onnx_path(content), onnx, content_type="application/octet-stream")
        self._bucket.put(_manifest_path(content), manifest, content_type="application/json")
        return FileLocation(path=_onnx_path(content), size_bytes=len(onnx), client_runtime_floor=floor)

    def fetch(self, version: VersionContent) -> tuple[bytes, bytes]:
        """Download a version's files.

        Args:
            version: The version.

        Returns:
            The bytes of `model.onnx` and of `manifest.json`, as they were registered.

        Raises:
            ArtifactError: When one is missing or damaged.
            CallError: When a call ends in no answer.
        """
        onnx = self._bucket.get(_onnx_path(version), sha256=version.sha256)
        return onnx, self._bucket.get(_manifest_path(version), sha256=version.manifest_sha256)


def _onnx_path(version: VersionContent) -> str:
    return f"{version.model_type}/{version.sha256}.onnx"


def _manifest_path(version: VersionContent) -> str:
    return f"{version.model_type}/{version.manifest_sha256}.json"
