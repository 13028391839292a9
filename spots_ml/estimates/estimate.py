"""A number and what it is worth: the one value type of everything that is measured on people, and its one interval.

The interval is 95 %, over agents, wide or absent where there is little, never certain:

- From `LEAST_AGENTS` agents on: the expanded percentile interval (Hesterberg 2015, "What Teachers Should Know About the
  Bootstrap", section 5.3), percentiles of the resamples, further out the fewer agents there are. What is counted is the
  effective number of agents, so that one with most of the rows makes it wider.
- A bounded number with fewer agents, or that is the same in all resamples (a rate of exactly 0 or 1): the exact
  binomial interval (Clopper and Pearson 1934) with the effective number of agents as trials, as if all rows of an agent
  were one. No other distribution of agents' numbers in [0, 1] varies more.
- Anything else with fewer agents, or that is the same in all resamples: none. One agent says nothing about others.

How often these hold the truth with 2 to 40 agents: `docs/decisions/estimates.md`.

Ratios by the delta method (`linearised`, `lower_bound`) are better than resampling where a bound must be the same
whatever the seed, or is one-sided and far out. With unequal agents and two-sided, resampling holds the truth more
often.
"""

import math
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import betaincinv, ndtr, stdtrit

from spots_ml.estimates.agents import effective_number

Method = Literal["expanded_percentile", "binomial", "recovered_variance", "linearised", "confidence_sequence", "none"]
"""How an interval came about; `none`: there is too little for one. That of a confidence sequence holds at all moments
together, the others at one."""

_N_DIGITS: Final = 8


def _unsaid(value: object) -> bool:
    return value is None


class Estimate(BaseModel):
    """A number with its 95 % interval over agents; value and interval are null where they have no meaning."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    value: float | None = Field(description="On the rows as they are; null where undefined.")
    low: float | None = Field(description="Lower end of the interval; null where there is too little for one.")
    high: float | None = Field(description="Upper end.")
    method: Method | None = Field(
        default=None, exclude_if=_unsaid, description="Where the interval comes from; older documents do not say."
    )
    n_rows: int | None = Field(default=None, ge=0, exclude_if=_unsaid, description="Rows that count in it.")
    n_agents: int | None = Field(default=None, ge=0, exclude_if=_unsaid, description="Agents those rows are of.")

    @property
    def stands_alone(self) -> bool:
        """Whether its value may be told where there is no room for interval and numbers of rows and agents.

        Of fewer than `LEAST_AGENTS` agents it may not: 1.0 of two rows would be taken for certainty. Estimates written
        before they said of how many they are may.
        """
        return self.value is not None and (self.n_agents is None or self.n_agents >= LEAST_AGENTS)


def kept(value: float) -> float:
    """Leave out the digits that may differ from one linear-algebra library to the next: estimates are digested.

    Args:
        value: Any finite number.

    Returns:
        The number to eight significant digits.

    >>> kept(1 / 3)
    0.33333333
    """
    return float(f"{value:.{_N_DIGITS}g}")


LEVEL: Final = 0.95
LEAST_AGENTS: Final = 8
"""With fewer, percentiles of resamples hold the truth too seldom: with two agents half of the time."""
_LEAST_EFFECTIVE: Final = 2.0
_TAIL: Final = (1.0 - LEVEL) / 2.0


def estimate_of(
    value: float, drawn: np.ndarray, *, sides: Sequence[np.ndarray], bounded: bool, n_rows: int
) -> Estimate:
    """Make an estimate of a number and what it was in the resamples.

    Args:
        value: On all rows; NaN where undefined.
        drawn: `(n_resamples,)` in the resamples; those where it is NaN are left out.
        sides: What must be there for the number to have a meaning, `(n_agents,)` each: how much each agent has of it.
            A mean has its rows, an area under a curve its positive rows and its negative ones. The scarcest counts.
        bounded: Whether the number lies in [0, 1] whoever the agents are, as means of shares and scores do.
        n_rows: Rows that count in it.

    Returns:
        The estimate, to eight digits. The interval holds the value.
    """
    n_agents = int((np.sum(sides, axis=0) > 0).sum())
    nothing = Estimate(value=None, low=None, high=None, method="none", n_rows=n_rows, n_agents=n_agents)
    if not math.isfinite(value):
        return nothing
    scarcest = min(int((side > 0).sum()) for side in sides)
    effective = min(effective_number(side) for side in sides)
    finite = drawn[np.isfinite(drawn)]
    method: Method
    if scarcest >= LEAST_AGENTS and effective >= _LEAST_EFFECTIVE and len(finite) and finite.min() < finite.max():
        expanded = float(ndtr(math.sqrt(effective / (effective - 1.0)) * stdtrit(effective - 1.0, _TAIL)))
        low, high = np.quantile(finite, [expanded, 1.0 - expanded])
        method = "expanded_percentile"
    elif bounded and scarcest >= 2:
        low, high = binomial_interval(value, effective)
        method = "binomial"
    else:
        return nothing.model_copy(update={"value": kept(value)})
    ends = {"value": kept(value), "low": kept(min(low, value)), "high": kept(max(high, value)), "method": method}
    return nothing.model_copy(update=ends)


def binomial_interval(share: float, n_trials: float) -> tuple[float, float]:
    """Bound a probability after trials (Clopper and Pearson 1934); neither trials nor successes need be whole.

    Args:
        share: Share of successes, in [0, 1].
        n_trials: How many trials; above 0.

    Returns:
        Both ends of the 95 % interval, in [0, 1]; never the same.

    >>> tuple(round(end, 4) for end in binomial_interval(0.0, 3))
    (0.0, 0.7076)
    """
    successes = share * n_trials
    failures = n_trials - successes
    low = float(betaincinv(successes, failures + 1.0, _TAIL)) if successes > 0.0 else 0.0
    high = float(betaincinv(successes + 1.0, failures, 1.0 - _TAIL)) if failures > 0.0 else 1.0
    return low, high


def linearised(parts: np.ndarray, wholes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take ratios of sums over agents, and the covariance of their errors.

    Linearisation of a ratio (Cochran 1977, "Sampling Techniques", section 6.3), agents as the sampled units: an agent's
    influence on part / whole is (its part - ratio x its whole) / sum of wholes.

    Args:
        parts: `(n_agents, n_ratios)`.
        wholes: `(n_agents, n_ratios)`, each column with a sum above 0.

    Returns:
        `(n_ratios,)` ratios, and `(n_ratios, n_ratios)` covariance: that of `a - b` is `c[a, a] + c[b, b] - 2 c[a, b]`.
        NaN with fewer than two agents.
    """
    n_agents, total = len(parts), wholes.sum(axis=0)
    ratios: np.ndarray = parts.sum(axis=0) / total
    if n_agents < 2:
        return ratios, np.full((len(ratios), len(ratios)), np.nan)
    influence = (parts - ratios * wholes) / total
    covariance: np.ndarray = n_agents / (n_agents - 1) * (influence.T @ influence)
    return ratios, covariance


def lower_bound(part: np.ndarray, whole: np.ndarray, level: float) -> float | None:
    """Bound a ratio of sums over agents from below, by one side of a t interval.

    Args:
        part: `(n_agents,)` each agent's numerator.
        whole: `(n_agents,)` each agent's denominator, at least 0.
        level: How sure, such as 0.95.

    Returns:
        The bound; None with fewer than two agents or where there is nothing to divide by.
    """
    n_agents, total = len(part), whole.sum()
    if n_agents < 2 or total <= 0.0:
        return None
    (ratio,), ((variance,),) = linearised(part[:, None], whole[:, None])
    return float(ratio - stdtrit(n_agents - 1, level) * math.sqrt(variance))
