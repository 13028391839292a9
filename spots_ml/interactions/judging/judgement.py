"""Which interactions are acceptable and which are not, and why.

Two passes over the rows: the first (`judge`) keeps a few numbers per row, the second (`accepted`,
`quarantined`) turns batches into what is written. Where records of one interaction say different things, one more pass
merges them. Files are the business of `validation`.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from spots_ml.features.contract import FEATURES, HISTORY_FEATURES, RAW_FEATURES
from spots_ml.features.derived import derive
from spots_ml.features.history import history_features
from spots_ml.interactions.columns import first_arrivals, floats, outcome_codes, times
from spots_ml.interactions.judging.findings import told
from spots_ml.interactions.judging.merging import Codes, fingerprints, firsts, merged
from spots_ml.interactions.judging.rules import ValidationConfig, bit, codes, find_problems
from spots_ml.interactions.judging.weighing import Weighing, weigh
from spots_ml.interactions.reading.record_layout import CALLED_KEYS, FEATURE_GROUPS, NUMBER_KEYS, TIME_KEYS
from spots_ml.interactions.schema import DATASET, INTERACTIONS, OUTCOME_TYPES, QUARANTINE

_TYPE_NAMES = np.array([*OUTCOME_TYPES, ""])
"""Indexed by outcome code; -1 is the empty name: not labelled."""

_NOTHING = pa.RecordBatch.from_pylist([], schema=INTERACTIONS)


@dataclass(frozen=True)
class Judgement:
    """What was found about every row, in source order.

    Attributes:
        masks: `(n_rows,)` int64 of `rules.bit`; 0: accepted.
        position: `(n_rows,)` int64, 0-based position in the source.
        history: `(n_rows, 6)` float32; of accepted rows, and drawn from accepted rows only.
        restated: `(n_restated,)` int64 row numbers, ascending: accepted rows to which their repetitions add something.
        restatements: As many rows of schema `INTERACTIONS`: what these rows say together with their repetitions.
        weighing: Who weighs how much in it.
    """

    masks: np.ndarray
    position: np.ndarray
    history: np.ndarray
    restated: np.ndarray
    restatements: pa.RecordBatch
    weighing: Weighing

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.masks)

    @property
    def n_broken(self) -> int:
        """Number of rows in which something is wrong; a repetition is set aside, but not broken."""
        return int(np.count_nonzero(self.masks & ~bit("duplicate")))

    def merged(self, batch: pa.RecordBatch, start: int) -> pa.RecordBatch:
        """Add what repetitions say to the rows that are accepted for them.

        Args:
            batch: Rows of the source.
            start: The number of the first of them.

        Returns:
            As many rows.
        """
        lower, upper = np.searchsorted(self.restated, [start, start + batch.num_rows]).tolist()
        if lower == upper:
            return batch
        chosen = np.arange(batch.num_rows)
        chosen[self.restated[lower:upper] - start] = batch.num_rows + np.arange(upper - lower)
        return pa.concat_batches([batch, self.restatements.slice(lower, upper - lower)]).take(pa.array(chosen))

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


def judge(read: Callable[[], Iterable[pa.RecordBatch]], *, config: ValidationConfig, now: datetime) -> Judgement:
    """Judge all interactions of a source.

    Args:
        read: Reads the source: rows of schema `INTERACTIONS`, in source order, the same each time. A second time only
            where records of one interaction say different things.
        config: Thresholds.
        now: The present, with a time zone.

    Returns:
        The judgement; memory grows by about a hundred bytes a row, and by the records that are merged.
    """
    agents, opportunities = Codes(), Codes()
    parts: list[tuple[np.ndarray, ...]] = [_no_rows()]
    for batch in read():
        agent = agents.of(batch["agent_id"])
        prints = fingerprints(batch, agent, opportunities.of(batch["opportunity_id"]))
        parts.append(
            (
                find_problems(batch, config=config, now=now),
                batch["position"].to_numpy(),
                prints.identities,
                prints.contents,
                agent,
                *_past(batch),
            )
        )
    masks, position, identities, contents, agent, *past = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    first = firsts(identities, masks == 0)
    masks[first != np.arange(len(masks))] |= bit("duplicate")
    restated, restatements = _restatements(read, first, contents)
    for column, restated_column in zip(past, _past(restatements), strict=True):
        column[restated] = restated_column
    kept = masks == 0
    history = np.zeros((len(masks), len(HISTORY_FEATURES)), np.float32)
    scored_at, outcome_at, score, kind = (column[kept] for column in past)
    history[kept] = history_features(agent[kept], scored_at, outcome_at, score, _TYPE_NAMES[kind])
    labelled = kept.copy()
    labelled[kept] = (kind >= 0) & ~np.isnan(score)
    weighing = weigh(
        agent, list(agents.known), broken=(masks & ~bit("duplicate")) != 0, accepted=kept, labelled=labelled
    )
    return Judgement(masks, position, history, restated, restatements, weighing)


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


def quarantined(batch: pa.RecordBatch, masks: np.ndarray, *, n_detailed: int | None = None) -> pa.RecordBatch:
    """Turn the rejected rows of a batch into rows of the quarantine.

    Args:
        batch: `n` rows of schema `INTERACTIONS`.
        masks: `(n,)` int64; 0 where accepted.
        n_detailed: Of how many rows, from the first on, details are sought; None: of all.

    Returns:
        Rows of schema `QUARANTINE`; possibly none.
    """
    broken = np.flatnonzero(masks)
    rows = batch.take(pa.array(broken)).to_pylist()
    found = []
    for number, (index, row) in enumerate(zip(broken, rows, strict=True)):
        reasons = codes(int(masks[index]))
        record = row["record"] if row["record"] is not None else record_text(row)
        details = told(record, reasons) if n_detailed is None or number < n_detailed else []
        found.append({"position": row["position"], "reasons": reasons, "details": details, "record": record})
    return pa.RecordBatch.from_pylist(found, schema=QUARANTINE)


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


def _restatements(
    read: Callable[[], Iterable[pa.RecordBatch]], first: np.ndarray, contents: np.ndarray
) -> tuple[np.ndarray, pa.RecordBatch]:
    """Merge the records of the interactions of which not all records say the same."""
    restated = np.unique(first[contents != contents[first]])
    parts, start = [_NOTHING], 0
    members = np.isin(first, restated)
    if len(restated):
        for batch in read():
            parts.append(batch.filter(pa.array(members[start : start + batch.num_rows])))
            start += batch.num_rows
    return restated, merged(pa.concat_batches(parts), first[members])


def _past(batch: pa.RecordBatch) -> tuple[np.ndarray, ...]:
    """Take what later interactions of the agent may know of these rows."""
    return (
        times(batch["scored_at"]),
        first_arrivals(batch),
        floats(batch["outcome_score"]),
        outcome_codes(batch),
    )


def _no_rows() -> tuple[np.ndarray, ...]:
    """Give no row of what `judge` keeps, so that a source without batches has columns, too."""
    number, identity = np.empty(0, np.int64), np.empty((0, 2), np.uint64)
    return (number, number, identity, np.empty(0, np.uint64), number, *_past(_NOTHING))
