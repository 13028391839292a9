"""Ratios by the delta method: errors, covariances and bounds over agents without resampling.

Better than resampling where a bound must be the same whatever the seed, or is one-sided and far out. With unequal
agents and two-sided, `estimate` holds the truth more often.
"""

import math

import numpy as np
from scipy.special import stdtrit


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
