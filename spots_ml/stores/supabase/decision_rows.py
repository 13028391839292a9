"""Decisions as documents of JSON, by the names that their fields have in SQL, and back."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import pyarrow as pa

from spots_ml.scoring.decision_log.fields import DECISIONS_WITH_OUTCOMES, FIELDS

_FIELDS: Final = {field.name: field for field in FIELDS}


def columns_of(schema: pa.Schema) -> tuple[str, ...]:
    """Name the columns of a view of decisions.

    Args:
        schema: Fields of decisions and outcomes.

    Returns:
        Their names in SQL, in the order of the schema.
    """
    return tuple(_FIELDS[name].sql_name if name in _FIELDS else name for name in schema.names)


SENT: Final = tuple(field.sql_name for field in FIELDS)
"""The names of what is sent."""

_BATCH_ROWS: Final = 500


def to_items(decisions: pa.Table) -> Iterator[dict[str, Any]]:
    """Turn decisions into what is sent.

    Args:
        decisions: Rows of schema `DECISIONS` that `check_decisions` has accepted.

    Yields:
        One document per row; unknown is null, moments are texts.
    """
    for batch in decisions.to_batches(max_chunksize=_BATCH_ROWS):
        for item in batch.to_pylist():
            yield {field.sql_name: _sent(item[field.name]) for field in FIELDS}


def decisions_of_rows(rows: Sequence[Mapping[str, Any]], schema: pa.Schema = DECISIONS_WITH_OUTCOMES) -> pa.RecordBatch:
    """Turn what was read into decisions.

    Args:
        rows: Documents with the columns of the schema; one that is absent is unknown.
        schema: Fields of decisions and outcomes.

    Returns:
        As many rows of that schema.
    """
    arrays = []
    for name, field in zip(columns_of(schema), schema, strict=True):
        values = [row.get(name) for row in rows]
        if pa.types.is_timestamp(field.type):
            values = [None if text is None else datetime.fromisoformat(text) for text in values]
        arrays.append(pa.array(values, field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _sent(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
