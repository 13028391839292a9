"""Unpacking gzip: in few large steps, checksums checked, and no further than an honest file would go."""

from collections.abc import Iterator
from typing import BinaryIO, Final

from isal import isal_zlib

from spots_ml.errors import InputError

MAX_EXPANSION: Final = 200
"""Times its size that a file may unpack to; records of the app take some ten times less packed."""
ALWAYS_ALLOWED_BYTES: Final = 1 << 26
"""What may come out of any file, however well it was packed."""


def gunzip(stream: BinaryIO, name: str, chunk_bytes: int) -> Iterator[bytes]:
    """Unpack all members of a gzip file.

    Args:
        stream: Read to its end; need not be seekable.
        name: What to call it in messages.
        chunk_bytes: Size of the largest piece.

    Yields:
        Non-empty pieces.

    Raises:
        EOFError: When it ends before its end marker.
        InputError: When it unpacks to more than `MAX_EXPANSION` times its size.
    """
    unpacker = None
    packed = stream.read(chunk_bytes)
    n_packed, n_unpacked = len(packed), 0
    while packed or unpacker is not None:
        if unpacker is None:
            unpacker = isal_zlib.decompressobj(wbits=isal_zlib.MAX_WBITS | 16)
        piece = unpacker.decompress(packed, chunk_bytes)
        n_unpacked += len(piece)
        if n_unpacked > max(ALWAYS_ALLOWED_BYTES, MAX_EXPANSION * n_packed):
            raise InputError(
                f"{name}: {n_packed:,} bytes of gzip unpack to more than {n_unpacked - len(piece):,}; expected at most "
                f"{MAX_EXPANSION} times as many: look at what is in it, and unpack it first if it is meant"
            )
        if piece:
            yield piece
        if unpacker.eof:
            packed, unpacker = unpacker.unused_data.lstrip(b"\x00"), None
        elif not piece and not packed:
            raise EOFError("it ends before its end marker")
        else:
            packed = unpacker.unconsumed_tail
        if not packed:
            packed = stream.read(chunk_bytes)
            n_packed += len(packed)
