"""Reads score requests: JSON lines, a Parquet file or an export of the app, in bounded memory, nothing dropped.

How each kind is cut and read is in `request_lines`, `request_records` and `request_parquet`; which values may be scored
is in `judging`.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Literal, get_args

import msgspec
import numpy as np
import pyarrow as pa

from spots_ml.errors import ConfigError
from spots_ml.interactions.columns import rebatch
from spots_ml.interactions.reading.export import SINGLE_RECORDS, read_chunks
from spots_ml.interactions.reading.json_array import Decoded, Elements, Member, read_document
from spots_ml.interactions.reading.json_window import MAX_VALUE_BYTES
from spots_ml.interactions.reading.record_layout import ARRAY_NAME, FEATURE_GROUPS
from spots_ml.requests.lines import read_lines
from spots_ml.requests.parquet_file import read_parquet
from spots_ml.requests.request_schema import REQUESTS
from spots_ml.requests.single_records import decode_requests, numbered, positioned, read_texts

__all__ = ["REQUESTS", "REQUEST_FORMATS", "RequestFormat", "format_of", "read_requests"]

RequestFormat = Literal["jsonl", "parquet", "export"]
REQUEST_FORMATS: Final[tuple[RequestFormat, ...]] = get_args(RequestFormat)

_BY_ENDING: Final[dict[str, RequestFormat]] = {
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
    ".ndjson": "jsonl",
    ".ndjson.gz": "jsonl",
    ".json": "export",
    ".json.gz": "export",
    ".parquet": "parquet",
}

_LONGEST_RECORD_BYTES: Final = 1 << 16
"""A record has some two thousand bytes; what is longer is not read as a single one."""


def format_of(name: str) -> RequestFormat:
    """Tell the format of a source from its name.

    Args:
        name: A file's name.

    Returns:
        The format.

    Raises:
        ConfigError: When the name does not tell.

    >>> format_of("today.jsonl.gz"), format_of("export.json"), format_of("pairs.PARQUET")
    ('jsonl', 'export', 'parquet')
    """
    for ending, found in _BY_ENDING.items():
        if name.lower().endswith(ending):
            return found
    raise ConfigError(f"the name {name} does not tell its format; expected one of {', '.join(_BY_ENDING)}: say --from")


def read_requests(
    source: Path | BinaryIO, *, format: RequestFormat, batch_rows: int = 50_000
) -> Iterator[pa.RecordBatch]:
    """Read score requests, all of them, in their order.

    A JSON line, or a record of an export, follows the app's layout (`record_layout`): every feature key must be there,
    null says that a value is unknown; labels may be absent and are not looked at; `history_features` (all six keys,
    null allowed), `trend_boost`, `trajectory_potential` and `positive_influence` may be there.

    Args:
        source: A file, or a stream that need not be seekable (an export and Parquet are put into a temporary file
            first). JSON may be gzip, which is told by content.
        format: JSON lines, Parquet, or an export `{"training_data": [ … ]}`; one record, or an array of records of at
            most 32 MiB, is taken for an export as well.
        batch_rows: Rows per batch; the last one may be shorter.

    Yields:
        Rows of schema `REQUESTS`; nothing for no rows. `position` is the 0-based number of the row, of the record, or
        of the line, blank lines counted. A request that cannot be read into columns is a row with its text and reason
        codes.

    Raises:
        InputError: When the source as a whole is not what it claims to be.
    """
    if format == "jsonl":
        yield from rebatch(_from_lines(source), batch_rows)
        return
    with _as_file(source, format) as path:
        if format == "parquet":
            yield from rebatch(read_parquet(path, batch_rows=batch_rows), batch_rows)
        else:
            yield from rebatch(_from_document(path), batch_rows)


def _from_lines(source: Path | BinaryIO) -> Iterator[pa.RecordBatch]:
    for numbers, texts in read_lines(source):
        for start in range(0, len(texts), SINGLE_RECORDS):
            part = slice(start, start + SINGLE_RECORDS)
            yield positioned(read_texts(texts[part]), np.array(numbers[part], dtype=np.int64))


def _from_document(path: Path) -> Iterator[pa.RecordBatch]:
    if texts := _bare_records(path):
        yield numbered(read_texts(texts), 0)
        return
    n_read = 0
    for event in read_document(read_chunks(path, ahead=True), ARRAY_NAME, decode_requests, name=str(path)):
        for batch in _batches(event):
            yield numbered(batch, n_read)
            n_read += batch.num_rows


def _batches(event: Member | Decoded[pa.RecordBatch] | Elements) -> Iterator[pa.RecordBatch]:
    if isinstance(event, Decoded):
        yield event.value
    elif isinstance(event, Elements):
        for start in range(0, len(event.texts), SINGLE_RECORDS):
            yield read_texts(event.texts[start : start + SINGLE_RECORDS])


def _bare_records(path: Path) -> list[bytes]:
    """Cut a document that is no export but one record, or an array of records; empty when it is neither."""
    content = b""
    with contextlib.closing(read_chunks(path)) as chunks:  # type: ignore[type-var]  # a generator in all but name
        for chunk in chunks:
            content += chunk
            is_array = content.lstrip()[:1] == b"["
            if len(content) > MAX_VALUE_BYTES or not (is_array or len(content) <= _LONGEST_RECORD_BYTES):
                return []
    try:
        if is_array:
            return [bytes(text) for text in msgspec.json.decode(content, type=list[msgspec.Raw])]
        return [content] if FEATURE_GROUPS.keys() & msgspec.json.decode(content, type=dict).keys() else []
    except ValueError:
        return []


@contextlib.contextmanager
def _as_file(source: Path | BinaryIO, format: RequestFormat) -> Iterator[Path]:
    """Have a source as a file: what stands at the end of it is needed first, or twice."""
    if isinstance(source, Path):
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="spots-ml-") as directory:
        path = Path(directory) / f"standard-input.{format}"
        with path.open("wb") as file:
            shutil.copyfileobj(source, file)
        yield path
