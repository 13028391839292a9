"""Whether decisions were made on the history that training sees: a sample of the log, computed again.

The route is the one of training (interactions as they were known, then `history_features` over whole agents), not the
one of serving, which answers moments. Only the agents of the sample are read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.errors import ConfigError
from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.features.history import history_features
from spots_ml.interactions.columns import first_arrivals
from spots_ml.interactions.keeping.interaction_store import EmptyStoreError, InteractionReader
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.scoring.decision_log.fields import ORIGINS
from spots_ml.scoring.decision_log.log import DecisionReader
from spots_ml.verdicts import Verdict

GATE: Final = "served_history"
MAX_WATERMARKS: Final = 8
"""Watermarks looked into for each origin: every one of them takes a read of its own, of its decisions' agents."""
_SHOWN: Final = 10
_OF_DECISIONS: Final = ("decision_id", "origin", "agent_id", "decided_at", "watermark", *HISTORY_FEATURES)
_COLUMNS: Final = ["agent_id", "scored_at", "outcome_at", "first_outcome_at", "outcome_score", "outcome_type"]


@dataclass(frozen=True)
class HistoryMismatch:
    """One value that is not what training computes.

    Attributes:
        decision_id: Which decision.
        feature: One of `contract.HISTORY_FEATURES`.
        served: What was logged.
        recomputed: What training computes for the same agent, moment and watermark.
    """

    decision_id: str
    feature: str
    served: float
    recomputed: float


@dataclass(frozen=True)
class HistoryCheck:
    """What comparing served with recomputed history found.

    Attributes:
        n_decisions: Decisions of the period.
        n_not_served: Those of them that brought their history along, so that there is nothing to compare.
        n_checked: Sampled decisions that were compared.
        n_mismatched: Those of them with any value that differs in any bit.
        mismatches: The first differing values, ten at most, by moment of the decision.
        n_late: Checked decisions whose history would be another with all that has arrived by now: the delay between
            training and serving. Information, not a fault.
        verdict: Passed when nothing differed; not passed when there were decisions, but none to compare.
    """

    n_decisions: int
    n_not_served: int
    n_checked: int
    n_mismatched: int
    mismatches: tuple[HistoryMismatch, ...]
    n_late: int
    verdict: Verdict

    @property
    def passed(self) -> bool:
        """Whether the verdict is positive."""
        return self.verdict.passed

    @property
    def message(self) -> str:
        """The verdict in one sentence."""
        return self.verdict.message


def check_served_history(
    log: DecisionReader, interactions: InteractionReader, *, since: datetime, until: datetime, sample: int, seed: int
) -> HistoryCheck:
    """Compare the history that decisions were made on with what training computes for the same moment and knowledge.

    Args:
        log: The decisions.
        interactions: The store whose history was served.
        since: Start of the period, with a time zone; inclusive.
        until: Its end; exclusive.
        sample: Decisions to compare for each origin, at least 1; all where there are fewer. They belong to
            `MAX_WATERMARKS` watermarks at most, drawn by their number of decisions.
        seed: Which of the possible samples.

    Returns:
        What was found. An outcome that was corrected since is none: what was known when the history was served is
        compared, and a correction shows among those that would differ now.

    Raises:
        ConfigError: When the sample is empty.
        InputError: When the log or the interactions cannot be read.
    """
    if sample < 1:
        raise ConfigError(f"a sample of {sample} decisions was asked for; expected at least 1")
    decisions = log.read_decisions(since, until, columns=_OF_DECISIONS)
    served = decisions.filter(decisions["watermark"].is_valid())
    drawn = served.take(_draw(served, sample, np.random.default_rng(seed)))
    logged = np.stack([drawn[name].to_numpy() for name in HISTORY_FEATURES], axis=1)
    then, now = np.empty_like(logged), np.empty_like(logged)
    watermarks = drawn["watermark"].to_numpy()
    for watermark in sorted(set(watermarks)):
        rows = np.flatnonzero(watermarks == watermark)
        then[rows] = _recomputed(drawn.take(rows), interactions, watermark)
    if drawn.num_rows:
        now[:] = _recomputed(drawn, interactions, None)

    wrong = _bits(logged) != _bits(then)
    ids = drawn["decision_id"].to_pylist()
    mismatches = tuple(
        HistoryMismatch(ids[row], HISTORY_FEATURES[column], float(logged[row, column]), float(then[row, column]))
        for row, column in np.argwhere(wrong)[:_SHOWN].tolist()
    )
    n_mismatched, n_late = int(wrong.any(axis=1).sum()), int((_bits(then) != _bits(now)).any(axis=1).sum())
    return HistoryCheck(
        n_decisions=decisions.num_rows,
        n_not_served=decisions.num_rows - served.num_rows,
        n_checked=drawn.num_rows,
        n_mismatched=n_mismatched,
        mismatches=mismatches,
        n_late=n_late,
        verdict=_verdict(decisions.num_rows, drawn.num_rows, n_mismatched, mismatches, n_late),
    )


def _draw(served: pa.Table, sample: int, random: np.random.Generator) -> np.ndarray:
    """Draw rows of each origin, in the order of the table."""
    drawn: list[int] = []
    watermarks = served["watermark"].to_numpy()
    for origin in ORIGINS:
        rows = random.permutation(np.flatnonzero(pc.equal(served["origin"], origin).to_numpy()))
        names, first = np.unique(watermarks[rows], return_index=True)
        allowed = names[np.argsort(first)][:MAX_WATERMARKS]
        drawn += rows[np.isin(watermarks[rows], allowed)][:sample].tolist()
    return np.sort(np.array(drawn, np.int64))


def _recomputed(decisions: pa.Table, interactions: InteractionReader, watermark: str | None) -> np.ndarray:
    """Compute the history of each decision's agent, as training does with what was known at a watermark."""
    agents = pc.unique(decisions["agent_id"])
    past = _past(_batches(interactions, watermark, agents), agents)
    stop = np.searchsorted(past[0], np.arange(len(agents)), side="right")
    start = np.searchsorted(past[0], np.arange(len(agents)))
    codes = pc.index_in(decisions["agent_id"], agents).to_numpy()
    values = np.empty((decisions.num_rows, len(HISTORY_FEATURES)), np.float32)
    for row, (code, moment) in enumerate(zip(codes, decisions["decided_at"].to_numpy(), strict=True)):
        # The decision is the last row of its agent's interactions, and has no outcome itself.
        of_agent = slice(start[code], stop[code])
        columns = (
            np.append(column[of_agent], last)
            for column, last in zip(past, (code, moment, np.datetime64("NaT", "us"), np.nan, ""), strict=True)
        )
        values[row] = history_features(*columns)[-1]
    return values


def _past(batches: Iterator[pa.RecordBatch], agents: pa.Array) -> tuple[np.ndarray, ...]:
    """Collect the columns that `history_features` takes, of these agents' interactions, by agent."""
    schema = pa.schema([INTERACTIONS.field(name) for name in _COLUMNS])
    kept = [batch.select(_COLUMNS).filter(pc.is_in(batch["agent_id"], agents)) for batch in batches]
    table = pa.Table.from_batches(kept, schema=schema)
    code = pc.index_in(table["agent_id"], agents).to_numpy()
    order = np.argsort(code, kind="stable")
    columns = (
        code,
        table["scored_at"].to_numpy().astype("datetime64[us]"),
        first_arrivals(table),
        table["outcome_score"].to_numpy().astype(np.float64),
        table["outcome_type"].fill_null("").to_numpy().astype(str),
    )
    return tuple(column[order] for column in columns)


def _batches(interactions: InteractionReader, watermark: str | None, agents: pa.Array) -> Iterator[pa.RecordBatch]:
    try:
        return interactions.read_interactions(watermark, agents=agents.to_pylist()).batches
    except EmptyStoreError:
        return iter(())  # there were no interactions yet


def _bits(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32).view(np.uint32)


def _verdict(
    n_decisions: int, n_checked: int, n_mismatched: int, mismatches: tuple[HistoryMismatch, ...], n_late: int
) -> Verdict:
    if not n_decisions:
        told = "there were no decisions, so there is no history to compare"
    elif not n_checked:
        told = f"none of {n_decisions:,} decisions had its history served from the store: nothing was compared"
    elif n_mismatched:
        first = mismatches[0]
        told = (
            f"{n_mismatched:,} of {n_checked:,} decisions were not made on the history that training sees; the first: "
            f"{first.feature} of {first.decision_id} was served as {first.served:g}, recomputed {first.recomputed:g}. "
            "Look for a server that does not ask the store, or for a store that was exchanged or restored since"
        )
    else:
        told = (
            f"the history of {n_checked:,} decisions is bit for bit what training computes; "
            f"{n_late:,} would differ with what has arrived or was corrected since"
        )
    return Verdict(
        gate=GATE,
        passed=n_mismatched == 0 and n_checked >= min(1, n_decisions),
        measured={"n_checked": n_checked, "n_mismatched": n_mismatched, "n_late": n_late},
        required={"n_checked": min(1, n_decisions), "n_mismatched": 0},
        message=told,
    )
