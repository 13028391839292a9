"""Reads the app's JSON export, plain or gzip, in bounded memory: `{"metadata": …, "training_data": [ … ]}`.

How the document is cut is in `json_array`, what a record looks like in `record_layout`; what an interaction
must obey beyond its shape is in `rules`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from spots_ml.errors import InputError
from spots_ml.interactions.kinds import SourceKind
from spots_ml.interactions.parquet import rebatch
from spots_ml.interactions.reading.broken_records import read_record
from spots_ml.interactions.reading.export_bytes import read_chunks
from spots_ml.interactions.reading.json_array import Decoded, Elements, Member, read_document
from spots_ml.interactions.reading.record_layout import ARRAY_NAME
from spots_ml.interactions.reading.records import columns, decode_array, decode_record, decode_record_only
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.interactions.source import InteractionStream

_FIRST_LOOK_BYTES: Final = 1 << 16


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
    kind = _kind(metadata)
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


def _kind(metadata: dict[str, Any]) -> SourceKind:
    """Tell real outcomes from generated ones by what the export says about itself."""
    if str(metadata.get("source", "")).lower().startswith("hybrid"):
        return "hybrid"
    said = " ".join(str(metadata.get(key, "")) for key in ("source", "generated_by", "description"))
    return "synthetic" if "synthetic" in said.lower() else "real"


def _read_batches(path: Path) -> Iterator[pa.RecordBatch]:
    chunks = read_chunks(path, ahead=True)
    for event in read_document(chunks, ARRAY_NAME, decode_array, name=str(path)):
        if isinstance(event, Decoded):
            yield event.value
        elif isinstance(event, Elements):
            yield from _read_elements(event.texts)


def _read_elements(texts: list[bytes]) -> Iterator[pa.RecordBatch]:
    """Read records one by one: fast where a record allows it, otherwise saying what is wrong with it."""
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
    rows = [{"position": 0, **read_record(text)} for text in texts]
    return pa.RecordBatch.from_pylist(rows, schema=INTERACTIONS)


def _numbered(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    start = 0
    for batch in batches:
        positions = pa.array(np.arange(start, start + batch.num_rows, dtype=np.int64))
        yield batch.set_column(0, INTERACTIONS.field("position"), positions)
        start += batch.num_rows
