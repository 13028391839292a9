"""The bytes of an export file, plain or gzip, chunk by chunk.

What they mean is in `json_array` and `export`.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Final

from isal import isal_zlib
from isal.igzip_lib import IsalError

from spots_ml.errors import InputError

CHUNK_BYTES: Final = 1 << 20

_GZIP_MAGIC: Final = b"\x1f\x8b"
_FOREIGN_MAGIC: Final = {
    b"PK\x03\x04": "a ZIP archive",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"PAR1": "Parquet",
    b"SQLite format 3": "an SQLite database",
    b"\xff\xfe": "UTF-16 or UTF-32 text",
    b"\xfe\xff": "UTF-16 text",
    b"\x00\x00\xfe\xff": "UTF-32 text",
}
_UTF8_MARK: Final = b"\xef\xbb\xbf"
_LONGEST_MAGIC: Final = 16


def read_chunks(path: Path, *, chunk_bytes: int = CHUNK_BYTES, ahead: bool = False) -> Iterator[bytes]:
    """Read a file's text as UTF-8 bytes, unpacked when its content is gzip, whatever its name says.

    Args:
        path: An export, plain or gzip.
        chunk_bytes: Size of the pieces handed out, in bytes of text.
        ahead: Whether to unpack the next piece in a thread while the present one is used.

    Yields:
        Non-empty pieces; a UTF-8 byte order mark is dropped. Whether they are valid UTF-8 is checked where
        text is cut.

    Raises:
        InputError: When the file is absent, unreadable, empty, truncated, damaged, or another kind of file.
    """
    try:
        with path.open("rb") as stream:
            yield from _unpacked(path, stream, chunk_bytes, ahead)
    except (EOFError, IsalError) as error:  # type: ignore[misc]  # the stub declares an instance
        raise InputError(
            f"{path}: the gzip data is truncated or damaged ({error}); expected a whole gzip file: "
            "copy or download the export again"
        ) from error
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror or error}); expected a JSON or JSON.gz export: "
            "check the path and its permissions"
        ) from error


def _unpacked(path: Path, stream: BinaryIO, chunk_bytes: int, ahead: bool) -> Iterator[bytes]:
    magic = stream.read(_LONGEST_MAGIC)
    stream.seek(0)
    if magic.startswith(_GZIP_MAGIC):
        pieces = _gunzip(stream, chunk_bytes)
        yield from _pieces(path, _read_ahead(pieces) if ahead else pieces)
    else:
        yield from _pieces(path, iter(lambda: stream.read(chunk_bytes), b""))


def _gunzip(stream: BinaryIO, chunk_bytes: int) -> Iterator[bytes]:
    """Unpack all members of a gzip file, checksums checked, in few large steps."""
    unpacker = None
    packed = stream.read(chunk_bytes)
    while packed or unpacker is not None:
        if unpacker is None:
            unpacker = isal_zlib.decompressobj(wbits=isal_zlib.MAX_WBITS | 16)
        piece = unpacker.decompress(packed, chunk_bytes)
        if piece:
            yield piece
        if unpacker.eof:
            packed, unpacker = unpacker.unused_data.lstrip(b"\x00"), None
        elif not piece and not packed:
            raise EOFError("it ends before its end marker")
        else:
            packed = unpacker.unconsumed_tail
        packed = packed or stream.read(chunk_bytes)


def _read_ahead(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Prepare the next piece in a thread while the present one is used: unpacking needs no interpreter lock."""
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, pieces, b"")
        while piece := following.result():
            following = pool.submit(next, pieces, b"")
            yield piece


def _pieces(path: Path, pieces: Iterator[bytes]) -> Iterator[bytes]:
    start = next(pieces, b"")
    _refuse_foreign(path, start)
    if start := start.removeprefix(_UTF8_MARK):
        yield start
    yield from pieces


def _refuse_foreign(path: Path, start: bytes) -> None:
    expected = 'expected UTF-8 JSON {"metadata": …, "training_data": [ … ]}, plain or gzip'
    if not start:
        raise InputError(f"{path}: the file is empty; {expected}: export again")
    for magic, name in _FOREIGN_MAGIC.items():
        if start.startswith(magic):
            raise InputError(f"{path}: found {name}; {expected}: convert it first")
    if b"\x00" in start[:64]:
        raise InputError(f"{path}: found NUL bytes (UTF-16, UTF-32 or binary data); {expected}: convert it first")
