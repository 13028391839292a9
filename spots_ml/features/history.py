"""The six history features: what was known about an agent at the moment an interaction was scored.

An interaction counts from the moment it was scored; its outcome counts from the moment it *arrived*, which is
what makes the features point-in-time. An outcome whose arrival time is unknown never counts: it could be from
the future. The scored interaction itself and those of the same instant never count either.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

NO_HISTORY: Final = (0.5, 0.5, 0.5, 0.0, 0.5, 0.5)
"""The features of an agent about whom nothing is known, in the order of `contract.HISTORY_FEATURES`."""
INTERACTION_COUNT_CAP: Final = 100
"""Interactions at which `interaction_count` reaches 1."""
RECENCY_CAP_DAYS: Final = 30
"""Days since the last positive outcome at which `time_since_last_positive` reaches 1."""
ACTIVITY_WINDOW_DAYS: Final = 30
"""Length of the window before the scoring in which interactions make up the activity level."""
ACTIVITY_CAP: Final = 30
"""Interactions within the window at which `activity_level` reaches 1: one a day."""

_US_PER_DAY: Final = 86_400 * 10**6
_UNKNOWN_TIME: Final = np.iinfo(np.int64).min
"""NaT as an integer: below every time."""
_SCORE_STEP: Final = 2.0**-32
"""Scores are summed in whole steps: exact, so that rows of other agents cannot move the last bit."""


@dataclass(frozen=True)
class _Outcomes:
    """Arrived outcomes in the order of agent and arrival.

    Attributes:
        keys: `(n,)` int64; an outcome is known at the moments whose key is at least this one.
        arrived: `(n,)` int64 microseconds.
        score: `(n,)` floats in [0, 1].
        positive: `(n,)` bool.
        negative: `(n,)` bool.
    """

    keys: np.ndarray
    arrived: np.ndarray
    score: np.ndarray
    positive: np.ndarray
    negative: np.ndarray


def history_features(
    agent: np.ndarray,
    scored_at: np.ndarray,
    outcome_at: np.ndarray,
    outcome_score: np.ndarray,
    outcome_type: np.ndarray,
) -> np.ndarray:
    """Compute the history of each row's agent as it was known when the row was scored, for rows in any order.

    With `past` the agent's outcomes that arrived before `scored_at`, and `earlier` the agent's interactions
    that were scored before it:

    - past_positive_rate, past_negative_rate: share of positive, of negative ones among `past`; 0.5 if it is
      empty.
    - average_engagement: mean outcome score of `past`; 0.5 if it is empty.
    - interaction_count: number of `earlier` / 100, capped at 1.
    - time_since_last_positive: days since the last positive one of `past` arrived / 30, capped at 1; 1 if
      `past` holds none that is positive, 0.5 if it is empty.
    - activity_level: number of `earlier` within 30 days / 30, capped at 1; 0.5 if there are no `earlier`.

    Args:
        agent: `(n_rows,)` integer codes, equal for rows of one agent; negative where the agent is unknown.
        scored_at: `(n_rows,)` datetime64 in UTC; NaT where unknown.
        outcome_at: `(n_rows,)` datetime64 in UTC, when the outcome arrived; NaT where unknown or not yet.
        outcome_score: `(n_rows,)` floats in [0, 1]; NaN where not labelled.
        outcome_type: `(n_rows,)` strings `positive`, `neutral`, `negative`; None or empty where not labelled.

    Returns:
        `(n_rows, 6)` float32 in [0, 1] in the order of `contract.HISTORY_FEATURES`; `NO_HISTORY` where the
        agent or `scored_at` is unknown.

    >>> scored = np.array(["2026-01-01", "2026-01-04"], "datetime64[us]")
    >>> arrived = scored + np.timedelta64(1, "h")
    >>> types = np.array(["positive", "negative"])
    >>> features = history_features(np.array([7, 7]), scored, arrived, np.array([0.75, 0.25]), types)
    >>> features[0].tolist() == list(NO_HISTORY), features[1, :3].tolist()
    (True, [1.0, 0.0, 0.75])
    """
    features = np.tile(np.array(NO_HISTORY, dtype=np.float64), (len(agent), 1))
    scored = np.asarray(scored_at, dtype="datetime64[us]").view(np.int64)
    rows = np.flatnonzero((np.asarray(agent) >= 0) & (scored != _UNKNOWN_TIME))
    if len(rows) == 0:
        return features.astype(np.float32)
    moments = np.unique(scored[rows])
    offset = _agent_offsets(np.asarray(agent), len(moments) + 1)
    now = offset[rows] + np.searchsorted(moments, scored[rows])
    # In the order of agent and time the binary searches walk forward through memory.
    order = np.argsort(now, kind="stable")
    rows, now = rows[order], now[order]
    start = np.searchsorted(now, offset[rows])
    _fill_interactions(features, rows, offset, now, start, moments, scored)

    arrived = np.asarray(outcome_at, dtype="datetime64[us]").view(np.int64)
    known = (np.asarray(agent) >= 0) & (arrived != _UNKNOWN_TIME) & ~np.isnan(outcome_score)
    outcomes = _outcomes(np.flatnonzero(known), offset, moments, scored, arrived, outcome_score, outcome_type)
    _fill_outcomes(features, rows, offset, now, scored, outcomes)
    return np.clip(features, 0.0, 1.0).astype(np.float32)


def _agent_offsets(agent: np.ndarray, n_keys: int) -> np.ndarray:
    """Give every agent a range of keys of its own: key = offset of the agent + rank of the time."""
    codes = agent.astype(np.int64)
    if len(codes) and int(codes.max()) >= np.iinfo(np.int64).max // n_keys - 1:
        codes = np.unique(codes, return_inverse=True)[1].astype(np.int64)
    offsets: np.ndarray = codes * n_keys
    return offsets


def _outcomes(
    known: np.ndarray,
    offset: np.ndarray,
    moments: np.ndarray,
    scored: np.ndarray,
    arrived: np.ndarray,
    outcome_score: np.ndarray,
    outcome_type: np.ndarray,
) -> _Outcomes:
    # An outcome cannot be known before its interaction took place, whatever its arrival time claims.
    time = np.maximum(arrived[known], scored[known])
    first = np.argsort(time, kind="stable")
    known, time = known[first], time[first]
    # It is known at the moments after its arrival: the key is that of the first of them.
    keys = offset[known] + np.searchsorted(moments, time, side="right")
    order = np.argsort(keys, kind="stable")
    kinds = np.asarray(outcome_type)[known[order]]
    return _Outcomes(
        keys=keys[order],
        arrived=time[order],
        score=np.asarray(outcome_score, dtype=np.float64)[known[order]],
        positive=np.asarray(kinds == "positive", dtype=bool),
        negative=np.asarray(kinds == "negative", dtype=bool),
    )


def _fill_interactions(
    features: np.ndarray,
    rows: np.ndarray,
    offset: np.ndarray,
    now: np.ndarray,
    start: np.ndarray,
    moments: np.ndarray,
    scored: np.ndarray,
) -> None:
    """Fill in the interaction count and the activity level, which need no outcome."""
    end = np.searchsorted(now, now)
    since = np.searchsorted(moments, scored[rows] - ACTIVITY_WINDOW_DAYS * _US_PER_DAY)
    n_earlier = end - start
    n_recent = end - np.searchsorted(now, offset[rows] + since)
    features[rows, 3] = np.minimum(n_earlier / INTERACTION_COUNT_CAP, 1.0)
    features[rows, 5] = np.where(n_earlier > 0, np.minimum(n_recent / ACTIVITY_CAP, 1.0), NO_HISTORY[5])


def _fill_outcomes(
    features: np.ndarray,
    rows: np.ndarray,
    offset: np.ndarray,
    now: np.ndarray,
    scored: np.ndarray,
    outcomes: _Outcomes,
) -> None:
    """Fill in the rates, the engagement and the time since the last positive outcome."""
    start = np.searchsorted(outcomes.keys, offset[rows])
    end = np.searchsorted(outcomes.keys, now, side="right")
    some = np.flatnonzero(end > start)
    rows, start, end = rows[some], start[some], end[some]
    n_past = end - start
    for index, values in enumerate((outcomes.positive, outcomes.negative)):
        total = _running_total(values)
        features[rows, index] = (total[end] - total[start]) / n_past
    total = _running_total(np.round(outcomes.score / _SCORE_STEP))
    features[rows, 2] = (total[end] - total[start]) * _SCORE_STEP / n_past

    # Position of the latest positive outcome at or before each one; -1 where there is none yet.
    latest = np.maximum.accumulate(np.where(outcomes.positive, np.arange(len(outcomes.keys)), -1))[end - 1]
    days = (scored[rows] - outcomes.arrived[latest]) / _US_PER_DAY
    features[rows, 4] = np.where(latest >= start, np.minimum(days / RECENCY_CAP_DAYS, 1.0), 1.0)


def _running_total(values: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(values, dtype=np.int64)])
