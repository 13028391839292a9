"""Writes interactions as the app's JSON export, plain or gzip: the reverse of `interactions.reading.export`.

The text is put together column by column, which is what makes a million records a matter of seconds.
"""

import contextlib
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.errors import InputError
from spots_ml.files import output_file
from spots_ml.interactions.reading.record_layout import ARRAY_NAME, FEATURE_GROUPS
from spots_ml.interactions.source import InteractionStream

_GZIP_LEVEL: Final = 6
_FLAT_KEYS: Final = {
    "formula_calling_score": "formula_score",
    "formula_is_called": "is_called",
    "outcome_type": "outcome_type",
    "outcome_score": "outcome_score",
    "agent_id": "agent_id",
    "opportunity_id": "opportunity_id",
    "timestamp": "scored_at",
    "outcome_timestamp": "outcome_at",
}
"""Record key -> column, besides the feature groups."""


def write_export(stream: InteractionStream, path: Path) -> int:
    """Write interactions as an export of the app.

    Args:
        stream: Interactions; its batches are used up. Unknown values become null.
        path: The file to write, whole or absent; gzip when the name ends in `.gz`. The same interactions give
            the same bytes.

    Returns:
        Number of records written.

    Raises:
        InputError: When a row could not be read into columns, and so has no values to write.
    """
    source = "app" if stream.kind == "real" else stream.kind
    metadata = json.dumps({"source": source, "description": stream.description})
    n_rows = 0
    with output_file(path) as temporary, _open(temporary, zipped=path.suffix == ".gz") as file:
        file.write(f'{{"metadata": {metadata}, "{ARRAY_NAME}": ['.encode())
        for batch in stream.batches:
            if n_broken := len(batch["record"]) - batch["record"].null_count:
                raise InputError(
                    f"{n_broken} of {batch.num_rows} interactions could not be read into columns; expected "
                    "none: write an export from validated interactions"
                )
            if batch.num_rows:
                lines = ",\n".join(_records(batch).to_pylist())
                file.write((",\n" if n_rows else "\n").encode() + lines.encode())
                n_rows += batch.num_rows
        file.write(b"\n]}\n")
    return n_rows


@contextlib.contextmanager
def _open(path: Path, *, zipped: bool) -> Iterator[IO[bytes]]:
    with path.open("wb") as raw:
        if not zipped:
            yield raw
            return
        # No name and no time inside: the bytes depend on the content alone.
        with gzip.GzipFile("", "wb", _GZIP_LEVEL, raw, mtime=0) as packed:
            yield packed  # type: ignore[misc]


def _records(batch: pa.RecordBatch) -> pa.Array:
    """Render every row as JSON text: constant pieces and columns, joined once."""
    pieces: list[str | pa.Array] = ["{"]
    for group, columns in FEATURE_GROUPS.items():
        pieces.append(f'"{group}": {{')
        for key, column in columns.items():
            pieces += [f'"{key}": ', _json(batch[column]), ", "]
        pieces[-1] = "}, "
    for key, column in _FLAT_KEYS.items():
        pieces += [f'"{key}": ', _json(batch[column]), ", "]
    pieces[-1] = "}"
    return pc.binary_join_element_wise(*pieces, "")


def _json(column: pa.Array) -> pa.Array:
    """Render a column as JSON values; null, and NaN, which JSON has not, as `null`."""
    if pa.types.is_timestamp(column.type):
        text = pc.binary_join_element_wise('"', pc.strftime(column, format="%Y-%m-%dT%H:%M:%SZ"), '"', "")
    elif pa.types.is_string(column.type):
        encoded = column.dictionary_encode()
        quoted = [json.dumps(value) for value in encoded.dictionary.to_pylist()]
        text = pa.array(quoted, pa.string()).take(encoded.indices)
    else:
        text = column.cast(pa.string())
        if pa.types.is_floating(column.type):
            text = pc.if_else(pc.is_finite(column), text, None)
    return pc.fill_null(text, "null")
