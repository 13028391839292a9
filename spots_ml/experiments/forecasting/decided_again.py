"""Logged decisions made again by other versions, from the features of their interactions.

The log holds a digest of what a decision was made on, and the interactions hold the features; a decision is made again
only where the two agree. What phones report has no digest; there the formula's score has to agree. What is left out is
counted by its reason: an estimate from the rest says nothing of it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.features.history import NO_HISTORY
from spots_ml.interactions.columns import rebatch, times
from spots_ml.interactions.judging.merging import truncated
from spots_ml.requests.of_day import interactions_as_requests
from spots_ml.scoring.decision_log.deciding_arms import deciding_arms
from spots_ml.scoring.decision_log.fields import DECISIONS_WITH_OUTCOMES
from spots_ml.scoring.decision_log.log import feature_digests
from spots_ml.scoring.decision_log.trend import trend_factors
from spots_ml.scoring.inputs import ScoringInputs, scoring_inputs
from spots_ml.scoring.scorer import Scorer

LeftOut = Literal["no_interaction", "other_features", "fed_more"]
LEFT_OUT_TEXTS: Final[Mapping[LeftOut, str]] = {
    "no_interaction": "their interaction is not in the store",
    "other_features": "their interaction has other features by now than they were made on",
    "fed_more": "the formula scores them otherwise than then: they were fed something else, or more",
}
"""Why decisions were not made again."""

_SAME: Final = 1e-6
_AT_ONCE: Final = 100_000
"""Interactions that are looked up together: each time the decisions are gone through once."""
_PAIR: Final = ("agent_id", "opportunity_id")


NEEDED: Final = (
    *("agent_id", "opportunity_id", "decided_at", "group", "version", "arm", "weight", "formula_score"),
    *("neural_score", "outcome_probability", "score", "called", "blocked", "propensity", "feature_digest"),
    *("trend_boost", *HISTORY_FEATURES),
)
"""Fields of a decision that are needed to make it again and to weigh what came of it."""
OUTCOMES: Final = ("outcome_type", "outcome_at", "first_outcome_at")


@dataclass(frozen=True)
class DecidedAgain:
    """Decisions of a log, made again.

    Attributes:
        decisions: The `n` that were, with the columns they came with.
        called: `(n, n_scorers)` bool, what each scorer would have called.
        inputs: `(n, 46)` float32, the 45 inputs and the formula's score.
        left_out: How many were not, by the reason.
    """

    decisions: pa.Table
    called: np.ndarray
    inputs: np.ndarray
    left_out: Mapping[LeftOut, int]


def decide_again(
    decisions: pa.Table, interactions: Iterable[pa.RecordBatch], scorers: Sequence[Scorer]
) -> DecidedAgain:
    """Make decisions again, as if every agent were in the hybrid group and nothing left to chance.

    The trend's factor, which is no work of a version, is that of the logged decision.

    Args:
        decisions: At most one per agent, opportunity and moment; the columns `NEEDED`, possibly more.
        interactions: Rows of schema `INTERACTIONS` in which theirs are, in any order.
        scorers: Without exploration; each decides all of them.

    Returns:
        What they would have decided, in the order of the decisions.
    """
    factor = _factors(decisions)
    keyed = _keyed(decisions, decisions["decided_at"])
    reason = np.full(decisions.num_rows, "no_interaction", object)
    called = np.zeros((decisions.num_rows, len(scorers)), bool)
    inputs = np.zeros((decisions.num_rows, 46), np.float32)
    for batch in rebatch(interactions, _AT_ONCE):
        at, row = _matched(keyed, batch)
        if not len(at):
            continue
        made = decisions.take(pa.array(at))
        fed = _inputs(batch.take(pa.array(row)), made, factor[at])
        digests = feature_digests(fed.features, fed.history)
        told = made["feature_digest"].combine_chunks()
        same = pc.equal(digests, told).fill_null(True).to_numpy(zero_copy_only=False)
        scores = [scorer.score(fed) for scorer in scorers]
        formula = scores[0].formula.score
        as_fed = np.abs(formula - made["formula_score"].to_numpy()) <= _SAME
        reason[at] = np.where(~same, "other_features", np.where(as_fed, "", "fed_more"))
        called[at] = np.stack([each.called for each in scores], axis=1)
        inputs[at] = np.concatenate([fed.features, fed.history, formula[:, None].astype(np.float32)], axis=1)
    again = reason == ""
    counts = Counter(reason[~again].tolist())
    left_out: dict[LeftOut, int] = {why: counts[why] for why in get_args(LeftOut) if counts[why]}
    return DecidedAgain(decisions.filter(pa.array(again)), called[again], inputs[again], left_out)


def _factors(decisions: pa.Table) -> np.ndarray:
    factors, arms = np.ones(decisions.num_rows), deciding_arms(decisions)
    for arm in pc.unique(arms).to_pylist():
        rows = pc.equal(arms, arm).to_numpy()
        factors[rows] = trend_factors(decisions.filter(pa.array(rows)))
    return factors


def _keyed(pairs: pa.Table | pa.RecordBatch, moments: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Agent, opportunity and moment in whole milliseconds, which are what an interaction is (`judging.merging`)."""
    in_ms = truncated(times(moments)).astype("datetime64[ms]").astype(np.int64)
    columns = {name: pairs[name].cast(pa.string()) for name in _PAIR}
    return pa.table({**columns, "moment": pa.array(in_ms), "at": pa.array(np.arange(pairs.num_rows))})


def _matched(keyed: pa.Table, batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray]:
    """Positions of decisions and, beside each, of its row in the batch."""
    known = pc.and_(pc.is_valid(batch["scored_at"]), pc.and_(*(pc.is_valid(batch[name]) for name in _PAIR)))
    found = _keyed(batch, batch["scored_at"]).filter(known).rename_columns([*_PAIR, "moment", "row"])
    both = keyed.join(found, [*_PAIR, "moment"], join_type="inner", use_threads=False)
    return both["at"].to_numpy(), both["row"].to_numpy()


def _inputs(batch: pa.RecordBatch, made: pa.Table, factor: np.ndarray) -> ScoringInputs:
    (requests,) = interactions_as_requests([batch])
    history = np.stack([made[name].to_numpy() for name in HISTORY_FEATURES], axis=1)
    fed = scoring_inputs(requests, history)
    return ScoringInputs(fed.features, fed.history, np.ones(batch.num_rows, bool), trend_boost=factor - 1.0)


def reports_as_decisions(reports: pa.Table) -> pa.Table:
    """Give what phones report the columns of decisions that were made without an outcome filter.

    Args:
        reports: `n` that count (`phone_claims.counted_reports`).

    Returns:
        `n` rows with the columns `NEEDED` and the outcomes; what no phone tells is null, and its history that of
        somebody without one, on which nothing depends where no filter is on.
    """
    n_rows = reports.num_rows
    unsaid = {"outcome_probability": 0.0, "blocked": False, **dict(zip(HISTORY_FEATURES, NO_HISTORY, strict=True))}
    columns = {}
    for name in (*NEEDED, *OUTCOMES):
        type_ = DECISIONS_WITH_OUTCOMES.field(name).type
        if name in reports.column_names:
            columns[name] = reports[name].cast(type_)
        else:
            columns[name] = pa.repeat(pa.scalar(unsaid.get(name), type_), n_rows)
    return pa.table(columns)
