"""Decisions as rows of SQLite and back: one blob of six float32 for the history, times as microseconds."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.scoring.decision_log.log import DECISIONS_WITH_OUTCOMES
from spots_ml.stores.embedded.decision_sql import COLUMNS, TOLD
from spots_ml.stores.embedded.interaction_rows import identity_of

_HISTORY_DTYPE: Final = np.dtype("<f4")
_HISTORY_BYTES: Final = len(HISTORY_FEATURES) * _HISTORY_DTYPE.itemsize
_OUTCOME: Final = ("outcome_type", "outcome_score", "outcome_at")
_READ: Final = (*TOLD, *_OUTCOME)
"""The columns of `decision_sql.READ`."""


def to_rows(batch: pa.RecordBatch, first_position: int) -> Iterator[tuple[Any, ...]]:
    """Turn decisions into rows for SQLite.

    Args:
        batch: Rows of schema `DECISIONS` that `check_decisions` has accepted.
        first_position: Position of the first of them in the call.

    Returns:
        One tuple per row: its position, then `decision_sql.COLUMNS`; unknown is None.
    """
    values = np.stack([batch[name].to_numpy() for name in HISTORY_FEATURES], axis=1)
    content = values.astype(_HISTORY_DTYPE).tobytes()
    columns: dict[str, Any] = {
        "decided_at": batch["decided_at"].cast(pa.int64()).to_pylist(),
        "agent_group": batch["group"].to_pylist(),
        "feature_digest": map(bytes.fromhex, batch["feature_digest"].to_pylist()),
        "history": (content[start : start + _HISTORY_BYTES] for start in range(0, len(content), _HISTORY_BYTES)),
    }
    for name in COLUMNS:
        if name not in columns and name != "identity":
            columns[name] = batch[name].to_pylist()
    columns["identity"] = map(identity_of, columns["agent_id"], columns["opportunity_id"], columns["decided_at"])
    positions = range(first_position, first_position + batch.num_rows)
    return zip(positions, *(columns[name] for name in COLUMNS), strict=True)


def to_batch(rows: Sequence[tuple[Any, ...]]) -> pa.RecordBatch:
    """Turn rows of SQLite into decisions.

    Args:
        rows: Tuples with the columns of `decision_sql.READ`; at least one.

    Returns:
        As many rows of schema `DECISIONS_WITH_OUTCOMES`.
    """
    columns: dict[str, Any] = dict(zip(_READ, zip(*rows, strict=True), strict=True))
    columns["group"] = columns.pop("agent_group")
    columns["feature_digest"] = map(bytes.hex, columns["feature_digest"])
    history = np.frombuffer(b"".join(columns.pop("history")), _HISTORY_DTYPE).reshape(len(rows), -1)
    for index, name in enumerate(HISTORY_FEATURES):
        columns[name] = np.ascontiguousarray(history[:, index])
    for name in ("called", "blocked", "explored"):
        columns[name] = np.array(columns[name], dtype=bool)
    return pa.RecordBatch.from_arrays(
        [pa.array(columns[field.name], field.type) for field in DECISIONS_WITH_OUTCOMES],
        schema=DECISIONS_WITH_OUTCOMES,
    )


def to_pair(conflict: Sequence[Any]) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Turn a row of `decision_sql.CONFLICTS` into the two decisions of one id.

    Args:
        conflict: The row.

    Returns:
        The position in the call, the decision that is logged, and the one that is not, by the names of `DECISIONS`.
    """
    position, *contents = conflict
    nothing = (None,) * len(_OUTCOME)
    known, given = to_batch([(*contents[: len(TOLD)], *nothing), (*contents[len(TOLD) :], *nothing)]).to_pylist()
    return position, known, given
