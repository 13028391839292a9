"""Which interactions are acceptable and which are not, and why.

Two passes over the rows: the first (`judge`) keeps a few numbers per row, the second (`accepted`,
`quarantined`) turns batches into what is written. Files are the business of `validation`.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from spots_ml.features.contract import FEATURES, HISTORY_FEATURES, RAW_FEATURES
from spots_ml.features.derived import derive
from spots_ml.features.history import history_features
from spots_ml.interactions.judging.identity import Codes, fingerprints, repeats
from spots_ml.interactions.judging.reasons import bit, codes
from spots_ml.interactions.judging.rules import find_problems, floats, outcome_codes, times
from spots_ml.interactions.judging.validation_config import ValidationConfig
from spots_ml.interactions.reading.record_layout import CALLED_KEYS, FEATURE_GROUPS, NUMBER_KEYS, TIME_KEYS
from spots_ml.interactions.schema import DATASET, OUTCOME_TYPES, QUARANTINE

_TYPE_NAMES = np.array([*OUTCOME_TYPES, ""])
"""Indexed by outcome code; -1 is the empty name: not labelled."""


@dataclass(frozen=True)
class Judgement:
    """What was found about every row, in source order.

    Attributes:
        masks: `(n_rows,)` int64 of `reasons.bit`; 0: accepted.
        position: `(n_rows,)` int64, 0-based position in the source.
        history: `(n_rows, 6)` float32; of accepted rows, and drawn from accepted rows only.
    """

    masks: np.ndarray
    position: np.ndarray
    history: np.ndarray

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.masks)

    @property
    def n_broken(self) -> int:
        """Number of rows that are not accepted."""
        return int(np.count_nonzero(self.masks))

    def reasons(self) -> dict[str, int]:
        """Count the rows by reason; a row with two reasons counts twice.

        Returns:
            Reason code -> rows, sorted by code; only reasons that occur.
        """
        found, counts = np.unique(self.masks[self.masks != 0], return_counts=True)
        total: dict[str, int] = {}
        for mask, count in zip(found.tolist(), counts.tolist(), strict=True):
            for code in codes(mask):
                total[code] = total.get(code, 0) + count
        return dict(sorted(total.items()))


def judge(batches: Iterable[pa.RecordBatch], *, config: ValidationConfig, now: datetime) -> Judgement:
    """Judge all interactions of a source.

    Args:
        batches: Rows of schema `INTERACTIONS`, in source order.
        config: Thresholds.
        now: The present, with a time zone.

    Returns:
        The judgement; memory grows by about a hundred bytes a row.
    """
    agents, opportunities = Codes(), Codes()
    parts: list[tuple[np.ndarray, ...]] = [_no_rows()]
    for batch in batches:
        agent = agents.of(batch["agent_id"])
        parts.append(
            (
                find_problems(batch, config=config, now=now),
                batch["position"].to_numpy(),
                fingerprints(batch, agent, opportunities.of(batch["opportunity_id"])),
                agent,
                times(batch["scored_at"]),
                times(batch["outcome_at"]),
                floats(batch["outcome_score"]),
                outcome_codes(batch),
            )
        )
    masks, position, prints, *past = (np.concatenate(column) for column in zip(*parts, strict=True))
    masks[repeats(prints, masks == 0)] |= bit("duplicate")
    kept = masks == 0
    history = np.zeros((len(masks), len(HISTORY_FEATURES)), np.float32)
    agent, scored_at, outcome_at, score, kind = (column[kept] for column in past)
    history[kept] = history_features(agent, scored_at, outcome_at, score, _TYPE_NAMES[kind])
    return Judgement(masks=masks, position=position, history=history)


def accepted(batch: pa.RecordBatch, masks: np.ndarray, history: np.ndarray) -> pa.RecordBatch:
    """Turn the accepted rows of a batch into rows of the dataset.

    Args:
        batch: `n` rows of schema `INTERACTIONS`.
        masks: `(n,)` int64; 0 where accepted.
        history: `(n, 6)` float32.

    Returns:
        Rows of schema `DATASET` with all derived features; possibly none.
    """
    kept = masks == 0
    if not kept.all():
        batch, history = batch.filter(pa.array(kept)), history[kept]
    features = derive({name: floats(batch[name]) for name in RAW_FEATURES})
    columns = {name: batch[name] for name in DATASET.names if name in batch.schema.names}
    for index, name in enumerate(FEATURES):
        columns[name] = pa.array(np.ascontiguousarray(features[:, index]), from_pandas=True)
    for index, name in enumerate(HISTORY_FEATURES):
        columns[name] = pa.array(np.ascontiguousarray(history[:, index]))
    return pa.RecordBatch.from_arrays([columns[name] for name in DATASET.names], schema=DATASET)


def quarantined(batch: pa.RecordBatch, masks: np.ndarray) -> pa.RecordBatch:
    """Turn the rejected rows of a batch into rows of the quarantine.

    Args:
        batch: `n` rows of schema `INTERACTIONS`.
        masks: `(n,)` int64; 0 where accepted.

    Returns:
        Rows of schema `QUARANTINE`; possibly none.
    """
    broken = np.flatnonzero(masks)
    rows = batch.take(pa.array(broken)).to_pylist()
    return pa.RecordBatch.from_pylist(
        [
            {
                "position": row["position"],
                "reasons": codes(int(masks[index])),
                "record": row["record"] if row["record"] is not None else record_text(row),
            }
            for index, row in zip(broken, rows, strict=True)
        ],
        schema=QUARANTINE,
    )


def record_text(row: dict[str, Any]) -> str:
    """Write an interaction as the app's export would.

    Args:
        row: Values by column of schema `INTERACTIONS`.

    Returns:
        JSON text; NaN and infinity stand there as such, which strict JSON does not know.
    """
    return json.dumps(app_record(row), ensure_ascii=False)


def app_record(row: dict[str, Any]) -> dict[str, Any]:
    """Give an interaction the keys that the app writes.

    Args:
        row: Values by column of schema `INTERACTIONS`.

    Returns:
        A document of JSON, the features in their groups; None where unknown, times as ISO 8601.
    """
    record: dict[str, Any] = {
        group: {key: row[column] for key, column in keys.items()} for group, keys in FEATURE_GROUPS.items()
    }
    record |= {key: row[column] for key, column in NUMBER_KEYS.items()}
    record |= {CALLED_KEYS[0]: row["is_called"]}
    record |= {key: row[key] for key in ("outcome_type", "agent_id", "opportunity_id")}
    return record | {key: row[column] and row[column].isoformat() for key, column in TIME_KEYS.items()}


def _no_rows() -> tuple[np.ndarray, ...]:
    time = np.empty(0, "datetime64[us]")
    number = np.empty(0, np.int64)
    return (
        number,
        number,
        np.empty((0, 2), np.uint64),
        number,
        time,
        time,
        np.empty(0),
        np.empty(0, np.int8),
    )
