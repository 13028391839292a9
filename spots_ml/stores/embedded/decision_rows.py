"""Decisions as rows of SQLite and back: one blob of six float32 for the history, times as microseconds."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from spots_ml.scoring.decision_log.fields import DECISIONS, DECISIONS_WITH_OUTCOMES, FIELDS, DecisionField
from spots_ml.stores.embedded.database import identity_of
from spots_ml.stores.embedded.decision_sql import COLUMNS, HISTORY, IDENTITY, TOLD

_HISTORY_DTYPE: Final = np.dtype("<f4")
_PACKED: Final = tuple(field.name for field in FIELDS if field.packing == "history")
_HISTORY_BYTES: Final = len(_PACKED) * _HISTORY_DTYPE.itemsize
_OUTCOME: Final = tuple(name for name in DECISIONS_WITH_OUTCOMES.names if name not in DECISIONS.names)
_READ: Final = (*TOLD, *_OUTCOME)
"""The columns of `decision_sql.READ`."""


def rows_of_decisions(batch: pa.RecordBatch, first_position: int) -> Iterator[tuple[Any, ...]]:
    """Turn decisions into rows for SQLite.

    Args:
        batch: Rows of schema `DECISIONS` that `check_decisions` has accepted.
        first_position: Position of the first of them in the call.

    Returns:
        One tuple per row: its position, then `decision_sql.COLUMNS`; unknown is None.
    """
    content = np.stack([batch[name].to_numpy() for name in _PACKED], axis=1).astype(_HISTORY_DTYPE).tobytes()
    columns: dict[str, Any] = {field.sql_name: _kept(field, batch[field.name]) for field in FIELDS}
    columns[HISTORY] = (content[start : start + _HISTORY_BYTES] for start in range(0, len(content), _HISTORY_BYTES))
    columns[IDENTITY] = map(identity_of, columns["agent_id"], columns["opportunity_id"], columns["decided_at"])
    positions = range(first_position, first_position + batch.num_rows)
    return zip(positions, *(columns[name] for name in COLUMNS), strict=True)


def decisions_of_rows(rows: Sequence[tuple[Any, ...]]) -> pa.RecordBatch:
    """Turn rows of SQLite into decisions.

    Args:
        rows: Tuples with the columns of `decision_sql.READ`; at least one.

    Returns:
        As many rows of schema `DECISIONS_WITH_OUTCOMES`.
    """
    columns: dict[str, Any] = dict(zip(_READ, zip(*rows, strict=True), strict=True))
    history = np.frombuffer(b"".join(columns.pop(HISTORY)), _HISTORY_DTYPE).reshape(len(rows), -1)
    for field in FIELDS:
        if field.packing == "history":
            columns[field.name] = np.ascontiguousarray(history[:, _PACKED.index(field.name)])
        else:
            columns[field.name] = _told(field, columns[field.sql_name])
    return pa.RecordBatch.from_arrays(
        [pa.array(columns[field.name], field.type) for field in DECISIONS_WITH_OUTCOMES],
        schema=DECISIONS_WITH_OUTCOMES,
    )


def to_pair(conflict: Sequence[Any]) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Turn a row of `decision_sql.CONFLICTS` into the two decisions of one id.

    Args:
        conflict: The row.

    Returns:
        The position in the call, the decision that is logged, and the one that is not, by the names of the fields.
    """
    position, *contents = conflict
    nothing = (None,) * len(_OUTCOME)
    known, given = decisions_of_rows(
        [(*contents[: len(TOLD)], *nothing), (*contents[len(TOLD) :], *nothing)]
    ).to_pylist()
    return position, known, given


def _kept(field: DecisionField, values: pa.Array) -> Iterable[Any]:
    if field.packing == "history":
        return ()
    if field.packing == "bytes":
        return map(bytes.fromhex, values.to_pylist())
    kept: list[Any] = (values.cast(pa.int64()) if pa.types.is_timestamp(field.type) else values).to_pylist()
    return kept


def _told(field: DecisionField, values: Sequence[Any]) -> Any:
    if field.packing == "bytes":
        return map(bytes.hex, values)
    if pa.types.is_boolean(field.type):
        return np.array(values, dtype=bool)
    return values
