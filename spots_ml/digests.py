"""Identity by content: SHA-256 digests of bytes, files and JSON documents; and documents that carry their own."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from spots_ml.errors import ArtifactError

_CHUNK_BYTES = 1 << 20
_SEAL: Final = "sha256_of_the_rest"


def digest_bytes(content: bytes | memoryview) -> str:
    """Digest bytes.

    Args:
        content: Any bytes, possibly empty; a view of an array is digested without a copy.

    Returns:
        64 lower-case hexadecimal digits of SHA-256.

    >>> digest_bytes(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(content).hexdigest()


def digest_file(path: Path) -> str:
    """Digest a file's bytes without reading it into memory at once.

    Args:
        path: An existing file.

    Returns:
        64 lower-case hexadecimal digits of SHA-256.

    Raises:
        OSError: When the file cannot be read.
    """
    sha = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            sha.update(chunk)
    return sha.hexdigest()


def canonical_json(document: object) -> bytes:
    """Write a JSON document in the one form that is digested: sorted keys, no blanks, UTF-8, no NaN.

    Args:
        document: Anything the standard `json` module can write; numbers must be finite.

    Returns:
        UTF-8 bytes without a trailing newline.

    Raises:
        ValueError: When a number is NaN or infinite.

    >>> canonical_json({"b": 1, "a": [True, None]})
    b'{"a":[true,null],"b":1}'
    """
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest_json(document: object) -> str:
    """Digest a JSON document independently of key order and white space.

    Args:
        document: Anything `canonical_json` accepts.

    Returns:
        64 lower-case hexadecimal digits of SHA-256.
    """
    return digest_bytes(canonical_json(document))


def seal(document: Mapping[str, Any]) -> bytes:
    """Write a document that no other document names by digest, so that damage to it shows all the same.

    Args:
        document: Anything `canonical_json` accepts.

    Returns:
        Indented UTF-8 JSON with one more field: the digest of the others.

    >>> unseal(seal({"n_rows": 2}))
    {'n_rows': 2}
    """
    plain = json.loads(canonical_json(document))
    return json.dumps({**plain, _SEAL: digest_json(plain)}, indent=2, ensure_ascii=False).encode() + b"\n"


def unseal(content: bytes) -> dict[str, Any]:
    """Read a sealed document after checking it.

    Args:
        content: What `seal` wrote.

    Returns:
        The document without its seal.

    Raises:
        ArtifactError: When any byte of it has changed.

    >>> unseal(seal({"n_rows": 2}).replace(b"2", b"3", 1))
    Traceback (most recent call last):
    spots_ml.errors.ArtifactError: the document is not as it was written: its own digest does not fit; make it again
    """
    try:
        document = json.loads(content)
        sealed = document.pop(_SEAL)
        if sealed == digest_json(document) and content == seal(document):
            return dict(document)
    except (ValueError, AttributeError, KeyError, TypeError):
        pass
    raise ArtifactError("the document is not as it was written: its own digest does not fit; make it again")
