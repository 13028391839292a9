"""History features at the moment of scoring: by the very function that training uses.

Where the past comes from is the business of `stores`; what was served is checked afterwards, by another route, in
`monitoring.history_check`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.features.history import ACTIVITY_CAP, INTERACTION_COUNT_CAP, NO_HISTORY, history_features

_COUNTS: Final = np.flatnonzero(np.isin(HISTORY_FEATURES, ["interaction_count", "activity_level"]))
"""The features that count interactions; all others are made of outcomes alone."""
_COUNTED: Final = max(INTERACTION_COUNT_CAP, ACTIVITY_CAP)
"""How many of the latest interactions before a moment decide the counts: with these, both are at their cap."""
_CHUNK: Final = 10_000


@dataclass(frozen=True)
class ServedHistory:
    """The history of agents at moments, and how much the store knew when it answered.

    Attributes:
        values: `(n_rows, 6)` float32 in [0, 1] in the order of `contract.HISTORY_FEATURES`.
        watermark: The label watermark the answer is true for.
    """

    values: np.ndarray
    watermark: str


class HistoryServer(Protocol):
    """What a store must answer so that scoring sees the history that training sees."""

    def serve_history(
        self, agent_ids: Sequence[str | None], at: np.ndarray, *, up_to: str | None = None
    ) -> ServedHistory:
        """Give the history of each agent as it was known at a moment, `NO_HISTORY` for an unknown one.

        `at` is `(n_rows,)` datetime64 in UTC, NaT where unknown; `up_to` is a label watermark, None: the present one.
        InputError when the two do not have the same length, or `up_to` is no watermark that this store has reached.
        """
        ...


@dataclass(frozen=True)
class Past:
    """Interactions of some agents, as far as they and their outcomes are known; in any order.

    Attributes:
        agent: `(n,)` int64 codes, at least 0.
        scored_at: `(n,)` datetime64[us] in UTC; NaT where unknown.
        outcome_at: `(n,)` datetime64[us] in UTC; NaT where unknown or not yet.
        outcome_score: `(n,)` float64; NaN where not labelled.
        outcome_type: `(n,)` strings; empty where not labelled.
    """

    agent: np.ndarray
    scored_at: np.ndarray
    outcome_at: np.ndarray
    outcome_score: np.ndarray
    outcome_type: np.ndarray


def history_at(past: Past, agent: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Compute the history of agents at moments that need not be those of interactions.

    `history_features` answers for rows, and each row counts as an interaction of its agent from then on. A moment at
    which the agent has an interaction is therefore answered from that row. Any other is added as a row of its own
    without an outcome; since such a row would be counted at later moments of its agent, the two counts at these are
    taken from a copy of the agent with nothing but its last interactions before the moment.

    Args:
        past: All that is known about the asked agents.
        agent: `(n_rows,)` int64 codes of the asked agents; -1 where unknown.
        at: `(n_rows,)` datetime64 in UTC; NaT where unknown.

    Returns:
        `(n_rows, 6)` float32 in [0, 1]: for each row what `history_features` gives for an interaction of this agent at
        this moment; `NO_HISTORY` where one of the two is unknown.
    """
    values = np.tile(np.array(NO_HISTORY, dtype=np.float32), (len(agent), 1))
    at = at.astype("datetime64[us]")
    rows = np.flatnonzero((agent >= 0) & ~np.isnat(at))
    if len(rows) == 0:
        return values
    dated = np.flatnonzero(~np.isnat(past.scored_at))
    moments = np.unique(np.concatenate([past.scored_at[dated], at[rows]]))
    past_keys = past.agent[dated] * len(moments) + np.searchsorted(moments, past.scored_at[dated])
    asked, place = np.unique(agent[rows] * len(moments) + np.searchsorted(moments, at[rows]), return_inverse=True)
    order = np.argsort(past_keys, kind="stable")
    past_keys, dated = past_keys[order], dated[order]
    found = np.searchsorted(past_keys, asked)
    at_row = np.append(past_keys, -1)[found] == asked

    added = asked[~at_row]
    answers = _answers_with(past, added // len(moments), moments[added % len(moments)])
    source = np.empty(len(asked), np.int64)
    source[at_row] = dated[found[at_row]]
    source[~at_row] = len(past.agent) + np.arange(len(added))
    distinct = answers[source]

    first_of_agent = asked // len(moments) * len(moments)
    disturbed = np.flatnonzero(np.searchsorted(added, asked) > np.searchsorted(added, first_of_agent))
    scored_at = past.scored_at[dated]
    for start in range(0, len(disturbed), _CHUNK):
        chunk = disturbed[start : start + _CHUNK]
        first = np.maximum(np.searchsorted(past_keys, first_of_agent[chunk]), found[chunk] - _COUNTED)
        counts = _counts(scored_at, first, found[chunk], moments[asked[chunk] % len(moments)])
        distinct[np.ix_(chunk, _COUNTS)] = counts
    values[rows] = distinct[place]
    return values


def _answers_with(past: Past, agent: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Compute the features of all rows of the past, followed by those of added rows without an outcome."""
    return history_features(
        np.concatenate([past.agent, agent]),
        np.concatenate([past.scored_at, at]),
        np.concatenate([past.outcome_at, _no_times(len(at))]),
        np.concatenate([past.outcome_score, np.full(len(at), np.nan)]),
        np.concatenate([past.outcome_type, np.full(len(at), "")]),
    )


def _counts(scored_at: np.ndarray, first: np.ndarray, end: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Compute the counting features of moments, each with a copy of its agent that has `scored_at[first:end]`."""
    n_before = end - first
    copies, behind = np.arange(len(at)), np.cumsum(n_before)
    before = np.arange(behind[-1]) + np.repeat(first - (behind - n_before), n_before)
    copied = Past(
        agent=np.repeat(copies, n_before),
        scored_at=scored_at[before],
        outcome_at=_no_times(len(before)),
        outcome_score=np.full(len(before), np.nan),
        outcome_type=np.full(len(before), ""),
    )
    counts: np.ndarray = _answers_with(copied, copies, at)[len(before) :, _COUNTS]
    return counts


def _no_times(n_rows: int) -> np.ndarray:
    return np.full(n_rows, np.datetime64("NaT", "us"))
