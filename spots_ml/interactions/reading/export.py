"""Reads the app's JSON export, plain or gzip, in bounded memory: `{"metadata": …, "training_data": [ … ]}`.

Bytes are unpacked chunk by chunk. How the document is cut is in `json_array`, what a record looks like in
`record_layout`; what an interaction must obey beyond its shape is in `judging.rules`.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
from isal.igzip_lib import IsalError

from spots_ml.errors import InputError
from spots_ml.interactions.columns import rebatch, rows_in_columns
from spots_ml.interactions.kinds import SourceKind
from spots_ml.interactions.reading.broken_records import read_record
from spots_ml.interactions.reading.gunzip import gunzip
from spots_ml.interactions.reading.json_array import Decoded, Elements, Member, read_document
from spots_ml.interactions.reading.record_layout import ARRAY_NAME
from spots_ml.interactions.reading.records import columns, decode_array, decode_record, decode_record_only
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.interactions.source import InteractionStream
from spots_ml.texts import shown
from spots_ml.troubles import raise_unless_missing

_FIRST_LOOK_BYTES: Final = 1 << 16
SINGLE_RECORDS: Final = 10_000
"""Records that are read one by one before their columns are put together."""
_KINDS: Final[dict[str, SourceKind]] = {
    "app": "real",
    "real": "real",
    "synthetic": "synthetic",
    "hybrid": "hybrid",
    "hybrid_big_five": "hybrid",
}
"""Kind by the source that an export names."""
_SEED_GENERATOR: Final = "generate_synthetic_training_data.py"
"""What wrote exports that name no source and are generated."""


def read_export(path: Path, *, batch_rows: int = 50_000) -> InteractionStream:
    """Open an export; its records are read when the batches are.

    Args:
        path: A JSON export, plain or gzip (told by content).
        batch_rows: Rows per batch; the last one may be shorter.

    Returns:
        The stream. A record that cannot be read into columns is a row with its text and reason codes. The
        file is checked to its last byte by reading the batches to the end, so publish nothing before that.

    Raises:
        InputError: When the file is not such an export (here, or while the batches are read).
    """
    metadata = _read_metadata(path)
    kind = _kind(metadata, path)
    return InteractionStream(
        kind=kind,
        batches=rebatch(_numbered(_read_batches(path)), batch_rows),
        description=f"export {path.name}: {metadata.get('description') or 'no description'}",
    )


def _read_metadata(path: Path) -> dict[str, Any]:
    """Find the metadata: before the array as a rule, otherwise behind it."""
    chunks = read_chunks(path, chunk_bytes=_FIRST_LOOK_BYTES)
    for event in read_document(chunks, ARRAY_NAME, decode_array, name=str(path)):
        if isinstance(event, Member) and event.name == "metadata":
            if event.value is None or isinstance(event.value, dict):
                return event.value or {}
            raise InputError(
                f"{path}: 'metadata' is {type(event.value).__name__}; expected a JSON object: export again"
            )
    return {}


def _kind(metadata: dict[str, Any], path: Path) -> SourceKind:
    """Tell real outcomes from generated ones by the source that the export names; a description says nothing."""
    source = metadata.get("source")
    if source is None:
        return "synthetic" if metadata.get("generated_by") == _SEED_GENERATOR else "real"
    if not isinstance(source, str) or source not in _KINDS:
        raise InputError(
            f"{path}: the 'source' in its metadata is {shown(repr(source), limit=60)}; expected one of "
            f"{', '.join(_KINDS)}, which say whether outcomes are real or generated: name it, or leave it out for "
            "interactions of the app"
        )
    return _KINDS[source]


def _read_batches(path: Path) -> Iterator[pa.RecordBatch]:
    chunks = read_chunks(path, ahead=True)
    for event in read_document(chunks, ARRAY_NAME, decode_array, name=str(path)):
        if isinstance(event, Decoded):
            yield event.value
        elif isinstance(event, Elements):
            yield from _read_elements(event.texts)


def _read_elements(texts: list[bytes]) -> Iterator[pa.RecordBatch]:
    """Read records one by one, some at a time: a piece of a file may hold a hundred thousand tiny ones."""
    for start in range(0, len(texts), SINGLE_RECORDS):
        yield from _read_some(texts[start : start + SINGLE_RECORDS])


def _read_some(texts: list[bytes]) -> Iterator[pa.RecordBatch]:
    """Fast where a record allows it, otherwise saying what is wrong with it."""
    good = [decode_record_only(text) for text in texts]
    begin = 0
    while begin < len(texts):
        end = begin
        while end < len(texts) and (good[end] is None) == (good[begin] is None):
            end += 1
        if good[begin] is None:
            yield _described(texts[begin:end])
        else:
            yield from _in_columns(good[begin:end], texts[begin:end])
        begin = end


def _in_columns(records: list[Any], texts: list[bytes]) -> Iterator[pa.RecordBatch]:
    try:
        yield columns(records)
    except ValueError:
        for text in texts:
            row = decode_record(text)
            yield _described([text]) if row is None else row


def _described(texts: list[bytes]) -> pa.RecordBatch:
    read = {text: read_record(text) for text in set(texts)}
    return rows_in_columns([{"position": 0, **read[text]} for text in texts], INTERACTIONS)


def _numbered(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    start = 0
    for batch in batches:
        positions = pa.array(np.arange(start, start + batch.num_rows, dtype=np.int64))
        yield batch.set_column(0, INTERACTIONS.field("position"), positions)
        start += batch.num_rows


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
        raise_unless_missing(error, path)
        raise InputError(
            f"{path}: cannot be read ({error.strerror or error}); expected a JSON or JSON.gz export: "
            "check the path and its permissions"
        ) from error


def _unpacked(path: Path, stream: BinaryIO, chunk_bytes: int, ahead: bool) -> Iterator[bytes]:
    magic = stream.read(_LONGEST_MAGIC)
    stream.seek(0)
    if magic.startswith(_GZIP_MAGIC):
        pieces = gunzip(stream, str(path), chunk_bytes)
        yield from _pieces(path, _read_ahead(pieces) if ahead else pieces)
    else:
        yield from _pieces(path, iter(lambda: stream.read(chunk_bytes), b""))


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
