"""Cuts a stream of bytes into lines, each of which is one score request: JSON lines, plain or gzip, read once.

What a line means is in `request_records`.
"""

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from isal.igzip_lib import IsalError

from spots_ml.errors import InputError
from spots_ml.interactions.reading.gunzip import gunzip
from spots_ml.interactions.reading.json_window import MAX_VALUE_BYTES
from spots_ml.interactions.reading.record_layout import ARRAY_NAME
from spots_ml.troubles import raise_unless_missing

CHUNK_BYTES: Final = 1 << 20

_GZIP_MAGIC: Final = b"\x1f\x8b"
_UTF8_MARK: Final = b"\xef\xbb\xbf"
_FIRST_LOOK_BYTES: Final = 1 << 16
_MAGIC_BYTES: Final = 64
_UNPRINTABLE: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x80-\xff]")
_EXPORT: Final = re.compile(rb'\s*\{\s*$|\s*\{.*"%s"\s*:\s*\[' % ARRAY_NAME.encode())
_EXPECTED: Final = "expected JSON lines (one request per line, UTF-8), plain or gzip"


def read_lines(source: Path | BinaryIO) -> Iterator[tuple[list[int], list[bytes]]]:
    """Read lines that are not blank.

    Args:
        source: A file, or a stream that need not be seekable; gzip is told by content. The stream is left open.

    Yields:
        0-based line numbers, blank lines counted, and the texts of these lines.

    Raises:
        InputError: When the file is absent or unreadable, the gzip data is damaged, the content is of another kind, or
            a line exceeds 32 MiB.
    """
    name = source_name(source)
    try:
        with _opened(source) as stream:
            yield from _cut(_chunks(stream, name), name)
    except (EOFError, IsalError) as error:  # type: ignore[misc]  # the stub declares an instance
        raise InputError(
            f"{name}: the gzip data is truncated or damaged ({error}); expected a whole gzip file: make it again"
        ) from error
    except OSError as error:
        raise_unless_missing(error, name)
        raise InputError(
            f"{name}: cannot be read ({error.strerror or error}); {_EXPECTED}: check the path and its permissions"
        ) from error


def source_name(source: Path | BinaryIO) -> str:
    """Name a source in messages.

    Args:
        source: A file or a stream.

    Returns:
        The path, or `standard input`.
    """
    return str(source) if isinstance(source, Path) else "standard input"


@contextlib.contextmanager
def _opened(source: Path | BinaryIO) -> Iterator[io.BufferedReader]:
    if isinstance(source, Path):
        with source.open("rb") as stream:
            yield stream
    elif isinstance(source, io.BufferedReader):
        yield source
    else:
        buffered: io.BufferedReader = io.BufferedReader(source)  # type: ignore[arg-type]
        try:
            yield buffered
        finally:
            buffered.detach()


def _chunks(stream: io.BufferedReader, name: str) -> Iterator[bytes]:
    if stream.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC):
        pieces = gunzip(stream, name, CHUNK_BYTES)
        start = next(pieces, b"")
    else:
        pieces = iter(lambda: stream.read(CHUNK_BYTES), b"")
        start = stream.read(_FIRST_LOOK_BYTES)
    start = start.removeprefix(_UTF8_MARK)
    _refuse_foreign(start, name)
    yield start
    yield from pieces


def _refuse_foreign(start: bytes, name: str) -> None:
    """Tell another kind of file from requests that are broken, which are refused one by one."""
    if start.startswith(b"PAR1"):
        raise InputError(f"{name}: found Parquet; {_EXPECTED}: read it with --from parquet")
    look = start[:_MAGIC_BYTES]
    if not look.lstrip().startswith(b"{") and _UNPRINTABLE.search(look):
        raise InputError(f"{name}: found binary data, it starts with {look[:16]!r}; {_EXPECTED}: convert it first")
    if _EXPORT.match(start.split(b"\n", 1)[0]):
        raise InputError(
            f"{name}: found one JSON document over several lines, or an export; {_EXPECTED}: "
            "read an export, or a record over several lines, with --from export"
        )


def _cut(chunks: Iterator[bytes], name: str) -> Iterator[tuple[list[int], list[bytes]]]:
    n_lines, n_waiting = 0, 0
    waiting: list[bytes] = []
    for chunk in chunks:
        last = chunk.rfind(b"\n")
        if last < 0:
            waiting.append(chunk)
            n_waiting += len(chunk)
            if n_waiting > MAX_VALUE_BYTES:
                raise InputError(f"{name}: line {n_lines + 1} exceeds 32 MiB; {_EXPECTED}: check how it was written")
            continue
        lines = b"".join((*waiting, memoryview(chunk)[:last])).split(b"\n")
        waiting, n_waiting = [chunk[last + 1 :]], len(chunk) - last - 1
        yield _not_blank(lines, n_lines)
        n_lines += len(lines)
    yield _not_blank([b"".join(waiting)], n_lines)


def _not_blank(lines: list[bytes], first: int) -> tuple[list[int], list[bytes]]:
    kept = [number for number, line in enumerate(lines) if line and not line.isspace()]
    return [first + number for number in kept], [lines[number] for number in kept]
