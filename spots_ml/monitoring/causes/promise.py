"""Whether a version in service still does what was measured when it was registered: its lead over the formula.

On each decision that the version answered, the network's score and the formula's are held against the outcome, and the
difference of their squared errors is compared with what the test rows promised. The formula on the very same decision
is the control: what is harder to foresee for all is so for both, and the outcome's noise falls out of the difference.
A base rate that moves by d changes the lead by 2 d x (mean of the network - mean of the formula): by nothing where both
have the same level, and where they have not, the network does lose or win beside the formula.

Units are agents: all of an agent's labelled decisions of the 7 days from its first one since a start, once their
maturity is over. An agent counts once per start, since agents come back and are alike; there is a start every 7 days,
so that a version that falls late is seen as well. Each start has an e-process, and its share of the error of a year.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.estimates.e_process import Payoffs, log_e_above, running_peak
from spots_ml.interactions.columns import agents_by_name, first_arrivals, times
from spots_ml.interactions.learning.maturity import mature

LEVEL: Final = 0.05
"""Largest probability of a false alarm in a year of daily looks."""
STARTS_EVERY: Final = timedelta(days=7)
WINDOW: Final = timedelta(days=7)
"""Of an agent's decisions, from its first one since a start."""
LOOK_BACK: Final = timedelta(days=42)
"""How far back starts lie that are followed."""
NEEDED: Final = math.log(365.0 / (STARTS_EVERY / timedelta(days=1)) / LEVEL)
"""Logarithm of the e-value that a start needs: each of a year's starts has an equal share of the level."""

LARGEST_BOUND: Final = 0.25
"""A unit's difference of squared errors counts as no larger than this while no earlier ones say how large they are: two
scores that are half a scale apart, and one of them right."""
LEAST_BOUND: Final = 0.05

_BOUND_OF: Final = 100
"""So many agents before a start say how large differences are: twice the largest of theirs is the bound."""
_BETS: Final = tuple(float(bet) for bet in np.geomspace(0.1, 18.0, 14))
"""Up to nearly all that `LEAST_BOUND` allows: differences of squared errors are about a hundredth."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
COLUMNS: Final = (
    *("agent_id", "version", "neural_score", "formula_score", "decided_at"),
    *("outcome_type", "outcome_score", "outcome_at", "first_outcome_at"),
)


@dataclass(frozen=True)
class Promise:
    """What was measured on the test rows when a version was registered; mean squared errors.

    Attributes:
        network: Of the network.
        formula: Of the app's formula, on the same rows.
        lead: How much smaller the network's is, at the least: the lower end of its 95% interval where there is one.
    """

    network: float
    formula: float
    lead: float

    def limit(self, tolerance: float) -> float:
        """Tell what the network's error may be above the formula's.

        Args:
            tolerance: What may be lost, as a share of the formula's error.

        Returns:
            A difference of squared errors; negative: it must still be ahead.
        """
        return tolerance * self.formula - self.lead


@dataclass(frozen=True)
class Kept:
    """How a version does beside its promise.

    Attributes:
        log_e: Largest evidence of any start that it lost more than is tolerated, natural logarithm; 0 without any.
        since: The start that says so (UTC); None without units.
        n_agents: Units of that start.
        excess: Mean over them of the network's squared error above the formula's; None without units.
        limit: What that may be.
    """

    log_e: float
    since: datetime | None
    n_agents: int
    excess: float | None
    limit: float

    @property
    def fell(self) -> bool:
        """Whether more is lost than is tolerated, beyond doubt."""
        return self.log_e >= NEEDED


def hold_against(
    decisions: pa.Table,
    promise: Promise,
    *,
    version: str,
    since: datetime,
    now: datetime,
    maturity: timedelta,
    tolerance: float,
) -> Kept:
    """Hold a version's decisions against what it promised.

    Args:
        decisions: Rows with `COLUMNS` that count, one per agent, opportunity and moment, since `LOOK_BACK` ago; those
            of other versions, without an answer of the network, or without an outcome in time are left out.
        promise: What was measured at registration.
        version: The version of the calling-score model.
        since: When it came into service: starts are counted from there (UTC).
        now: Of when this is told, with a time zone.
        maturity: How long an outcome may take.
        tolerance: What may be lost, as a share of the formula's error.

    Returns:
        What the start says that speaks loudest.
    """
    limit = promise.limit(tolerance)
    table = decisions.select(list(COLUMNS)).filter(
        pc.and_(pc.equal(decisions["version"], version), pc.is_valid(decisions["neural_score"]))
    )
    moments = times(table["decided_at"]).astype("datetime64[us]")
    found = mature(
        moments, first_arrivals(table), pc.is_valid(table["outcome_score"]).to_numpy(), now=now, window=maturity
    )
    rows = np.flatnonzero(found.labelled)
    rows = rows[np.argsort(moments[rows], kind="stable")]
    agents = agents_by_name(table["agent_id"]).code[rows]
    network, formula, outcome = (
        _floats(table[name])[rows] for name in ("neural_score", "formula_score", "outcome_score")
    )
    answered = _Answered(agents, moments[rows], network, formula, outcome)
    best = Kept(0.0, None, 0, None, limit)
    for start in starts(since, now):
        payoffs = _units(answered, start, now, maturity)
        if payoffs is None:
            continue
        peak = float(running_peak(log_e_above(payoffs, limit, _BETS))[-1])
        if best.since is None or peak > best.log_e:
            best = Kept(peak, start, len(payoffs.payoff), payoffs.estimate, limit)
    return best


def starts(since: datetime, now: datetime) -> Sequence[datetime]:
    """List the starts that are followed at a moment.

    Args:
        since: When the version came into service (UTC).
        now: The present (UTC).

    Returns:
        `since` and every 7 days after it, as far as they lie in the last `LOOK_BACK`.
    """
    passed = max(0, -((since - (now - LOOK_BACK)) // STARTS_EVERY))
    first = since + passed * STARTS_EVERY
    n = max(0, (now - first) // STARTS_EVERY + 1)
    return [first + number * STARTS_EVERY for number in range(n)]


@dataclass(frozen=True)
class _Answered:
    """Labelled decisions in the order of their moments, `(n,)` each."""

    agent: np.ndarray
    moment: np.ndarray
    network: np.ndarray
    formula: np.ndarray
    outcome: np.ndarray


def _units(answered: _Answered, start: datetime, now: datetime, maturity: timedelta) -> Payoffs | None:
    """The agents whose window since a start is over and matured, in the order in which it began."""
    matured = now - maturity
    here = answered.moment >= _moment(start)
    agent, moment = answered.agent[here], answered.moment[here]
    _, first, code = np.unique(agent, return_index=True, return_inverse=True)
    ends = moment[first] + np.timedelta64(WINDOW)
    counted = (moment < ends[code]) & np.less_equal(ends, _moment(matured))[code]
    if not counted.any():
        return None
    # Numbered by their first decision: an order that no outcome has a part in.
    place = np.empty(len(first), dtype=np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    unit = place[code[counted]]
    network, formula, outcome = (
        column[here][counted] for column in (answered.network, answered.formula, answered.outcome)
    )
    n_rows = np.bincount(unit)
    kept = n_rows > 0

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(unit, values)[kept] / n_rows[kept]

    farthest = _bound(answered, start - maturity)
    excess = np.clip(mean((network - outcome) ** 2 - (formula - outcome) ** 2), -farthest, farthest)
    bound = np.full(len(excess), farthest)
    return Payoffs(excess, np.ones(len(excess)), -bound, bound)


def _bound(answered: _Answered, known: datetime) -> float:
    """How large a unit may be, by what was known before the start.

    Not by its own scores: where these are close, the difference is near 0 whatever was promised, and larger bets there
    would win although nothing fell.
    """
    before = (answered.moment < _moment(known)) & (answered.moment >= _moment(known - 2 * WINDOW))
    _, code = np.unique(answered.agent[before], return_inverse=True)
    n_rows = np.bincount(code)
    if len(n_rows) < _BOUND_OF:
        return LARGEST_BOUND
    network, formula, outcome = (column[before] for column in (answered.network, answered.formula, answered.outcome))
    means = np.bincount(code, (network - outcome) ** 2 - (formula - outcome) ** 2) / n_rows
    return float(np.clip(2.0 * np.abs(means).max(), LEAST_BOUND, 1.0))


def _moment(at: datetime) -> np.datetime64:
    return np.datetime64((at - _EPOCH) // timedelta(microseconds=1), "us")


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    """Numbers; 0 where null."""
    numbers: np.ndarray = pc.fill_null(pc.cast(column, pa.float64()), 0.0).to_numpy()
    return numbers
