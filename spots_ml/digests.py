"""Identity by content: SHA-256 digests of bytes, files and JSON documents."""

import hashlib
import json
from pathlib import Path

_CHUNK_BYTES = 1 << 20


def digest_bytes(content: bytes) -> str:
    """Digest bytes.

    Args:
        content: Any bytes, possibly empty.

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
