"""Interactions as rows of SQLite and back: one blob of 34 numbers per row, times as microseconds."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from spots_ml.features.contract import RAW_FEATURES
from spots_ml.interactions.columns import floats, times
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.stores.embedded.database import identity_of

COLUMNS: Final = (
    "identity",
    "agent_id",
    "opportunity_id",
    "scored_at",
    "features",
    "formula_score",
    "is_called",
    "outcome_type",
    "outcome_score",
    "outcome_at",
    "first_outcome_at",
)
"""The columns of `rows_of_interactions`, in its order, behind the position."""

_FEATURES_DTYPE: Final = np.dtype("<f8")


def rows_of_interactions(batch: pa.RecordBatch) -> Iterator[tuple[Any, ...]]:
    """Turn interactions into rows for SQLite.

    Args:
        batch: Rows of schema `INTERACTIONS` without problems.

    Yields:
        The position, then `COLUMNS`; unknown is None, inside the features NaN.
    """
    # Adding 0.0 makes -0.0 and 0.0 the same bytes; where() makes all NaN the same.
    values = np.stack([floats(batch[name]) for name in RAW_FEATURES], axis=1) + 0.0
    content = np.where(np.isnan(values), np.nan, values).astype(_FEATURES_DTYPE).tobytes()
    size = len(RAW_FEATURES) * _FEATURES_DTYPE.itemsize
    names = ("position", "agent_id", "opportunity_id")
    told = zip(*(batch[name].to_pylist() for name in names), strict=True)
    moments = ("scored_at", "outcome_at", "first_outcome_at")
    scored_at, outcome_at, first_outcome_at = (_microseconds(batch[name]) for name in moments)
    labels = [batch[name].to_pylist() for name in ("formula_score", "is_called", "outcome_type", "outcome_score")]
    for row, (position, agent, opportunity) in enumerate(told):
        features = content[row * size : (row + 1) * size]
        said = (features, *(column[row] for column in labels), outcome_at[row])
        identity = identity_of(agent, opportunity, scored_at[row], *said)
        yield position, identity, agent, opportunity, scored_at[row], *said, first_outcome_at[row]


def interactions_of_rows(rows: Sequence[sqlite3.Row], first_position: int) -> pa.RecordBatch:
    """Turn rows of SQLite into interactions.

    Args:
        rows: Rows with the columns `COLUMNS` without the identity; at least one.
        first_position: Position of the first of them in the stream.

    Returns:
        As many rows of schema `INTERACTIONS`.
    """
    values = np.frombuffer(b"".join(row["features"] for row in rows), _FEATURES_DTYPE).reshape(len(rows), -1)
    columns: dict[str, Any] = {"position": range(first_position, first_position + len(rows))}
    for index, name in enumerate(RAW_FEATURES):
        columns[name] = pa.array(np.ascontiguousarray(values[:, index]), from_pandas=True)
    for name in COLUMNS:
        if name not in ("identity", "features"):
            columns[name] = [row[name] for row in rows]
    columns["is_called"] = [None if called is None else bool(called) for called in columns["is_called"]]
    arrays = []
    for field in INTERACTIONS:
        column = columns.get(field.name, [None] * len(rows))
        arrays.append(column if isinstance(column, pa.Array) else pa.array(column, field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=INTERACTIONS)


def _microseconds(column: pa.Array) -> list[int | None]:
    moments = times(column)
    return [None if unknown else int(us) for us, unknown in zip(moments.view(np.int64), np.isnat(moments), strict=True)]
