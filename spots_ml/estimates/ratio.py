"""How many times one mean is another's of the same draws, by an interval that knows how both vary together."""

import math
from typing import Final

import numpy as np

from spots_ml.estimates.estimate import Estimate, kept

_Z: Final = 1.959963984540054
_LEAST: Final = 8


def relative_difference(ones: np.ndarray, others: np.ndarray) -> Estimate:
    """Divide the difference of two means by the second.

    The interval is Fieller's (1954, "Some problems in interval estimation"): all ratios r for which the mean of
    `ones - r x others` is not surely apart from 0, with its own variance, covariance included. It is that of the delta
    method where the second mean is well known, and wider where it is not.

    Args:
        ones: `(n,)` of independent draws, such as agents.
        others: `(n,)` of the same draws.

    Returns:
        Mean of ones / mean of others - 1 with its 95 % interval, at one moment; no interval with fewer than 8 draws
        or where the second mean may be 0, no value where it is.

    >>> ones, others = np.tile([1.2, 1.0], 50), np.tile([1.0, 1.0], 50)
    >>> found = relative_difference(ones, others)
    >>> found.value, round(found.low, 4), round(found.high, 4)
    (0.1, 0.0803, 0.1197)
    """
    n = len(ones)
    nothing = Estimate(value=None, low=None, high=None, method="none", n_rows=n, n_agents=n)
    if n == 0 or others.mean() == 0.0:
        return nothing
    one, other = float(ones.mean()), float(others.mean())
    value = one / other - 1.0
    if n < _LEAST:
        return nothing.model_copy(update={"value": kept(value)})
    (of_one, of_both), (_, of_other) = np.cov(ones, others) / n
    square, linear = other**2 - _Z**2 * of_other, one * other - _Z**2 * of_both
    inside = linear**2 - square * (one**2 - _Z**2 * of_one)
    if square <= 0.0 or inside < 0.0:
        return nothing.model_copy(update={"value": kept(value)})
    half = math.sqrt(inside)
    ends = {"low": kept((linear - half) / square - 1.0), "high": kept((linear + half) / square - 1.0)}
    return nothing.model_copy(update={"value": kept(value), **ends, "method": "linearised"})
