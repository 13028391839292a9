"""How many new labels are expected to change a model, by the learning curve of its past versions.

The curve is `error = a + b / n^c` (Cortes et al. 1994; Viering and Loog 2023, "The shape of learning curves"), least
squares over the versions, each judged on test rows of its own; `a` and `b` are at least 0, `c` one of a few numbers:
with a handful of noisy points no more can be told. Whatever it says stays within declared bounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LEAST_VERSIONS: Final = 5
LEAST_SPREAD: Final = 2.0
"""How many times the labels of the smallest version the largest must have."""

_EXPONENTS: Final = tuple(number / 10 for number in range(2, 11))


@dataclass(frozen=True)
class CurvePoint:
    """One past version.

    Attributes:
        n_labelled: Labels in its data, at least 1.
        error: Its error on its test rows, above 0.
    """

    n_labelled: int
    error: float


@dataclass(frozen=True)
class Curve:
    """A fitted curve `a + b / n^c`.

    Attributes:
        a: Error that no number of labels takes away, at least 0.
        b: At least 0; 0: more labels have not helped.
        c: In [0.2, 1].
    """

    a: float
    b: float
    c: float

    def error(self, n_labelled: float) -> float:
        """Tell the error at a number of labels, at least 1."""
        return float(self.a + self.b * n_labelled**-self.c)

    def labels_until(self, error: float) -> float | None:
        """Tell the number of labels at which the error has come down to a number; None: never."""
        if self.b <= 0.0 or error <= self.a:
            return None
        return float((self.b / (error - self.a)) ** (1.0 / self.c))


@dataclass(frozen=True)
class LabelThreshold:
    """How many new labels call for a retraining.

    Attributes:
        n_labels: The number.
        told: How it was found; empty for the fixed one.
    """

    n_labels: int
    told: str = ""


def fit_curve(points: Sequence[CurvePoint]) -> Curve | None:
    """Fit the curve.

    Args:
        points: Past versions, in any order.

    Returns:
        The curve; None where there are fewer than `LEAST_VERSIONS`, or their labels do not differ by `LEAST_SPREAD`.

    >>> law = [CurvePoint(n, 0.02 + 0.5 / n**0.5) for n in (1000, 2000, 3000, 5000, 8000)]
    >>> curve = fit_curve(law)
    >>> round(curve.a, 4), round(curve.b, 4), curve.c
    (0.02, 0.5, 0.5)
    """
    sizes = [point.n_labelled for point in points]
    if len(points) < LEAST_VERSIONS or max(sizes) < LEAST_SPREAD * min(sizes):
        return None
    fits = [_fitted(points, exponent) for exponent in _EXPONENTS]
    return min(fits, key=lambda curve: sum((point.error - curve.error(point.n_labelled)) ** 2 for point in points))


def adapted_threshold(
    points: Sequence[CurvePoint], *, fixed: int, least: int, most: int, gain: float
) -> LabelThreshold:
    """Say how many new labels are expected to make a model better by a share of its error.

    Args:
        points: Past versions, in any order; the one with the most labels is where it stands.
        fixed: The threshold where no curve can be fitted.
        least: Smallest threshold.
        most: Largest.
        gain: Share of the error, in (0, 1).

    Returns:
        The threshold, within the bounds but for the fixed one, and how it was found.
    """
    curve = fit_curve(points)
    if curve is None:
        return LabelThreshold(
            fixed,
            f"fixed: a learning curve needs {LEAST_VERSIONS} versions of this store whose labels differ by "
            f"{LEAST_SPREAD:g} times, there are {len(points)} versions",
        )
    n_now = max(point.n_labelled for point in points)
    goal = curve.labels_until(curve.error(n_now) * (1.0 - gain))
    shape = f"{curve.a:.4g} + {curve.b:.3g} / n^{curve.c:g}"
    told = f"the curve of {len(points)} versions, {shape}, has at {n_now:,} labels"
    if goal is None:
        return LabelThreshold(most, f"{told} no {gain:.1%} to gain by any number: the most")
    expected = max(1, round(goal - n_now))
    chosen = min(max(expected, least), most)
    bound = "" if chosen == expected else f", {'at least' if chosen == least else 'at most'} {chosen:,}"
    return LabelThreshold(chosen, f"{told} {gain:.1%} to gain by {expected:,} more{bound}")


def _fitted(points: Sequence[CurvePoint], exponent: float) -> Curve:
    """Least squares for `a` and `b`, each at least 0."""
    inverse = [point.n_labelled**-exponent for point in points]
    errors = [point.error for point in points]
    mean_inverse, mean_error = sum(inverse) / len(points), sum(errors) / len(points)
    spread = sum((one - mean_inverse) ** 2 for one in inverse)
    both = sum((one - mean_inverse) * (error - mean_error) for one, error in zip(inverse, errors, strict=True))
    b = max(0.0, both / spread)
    a = mean_error - b * mean_inverse
    if a < 0.0:
        squares = sum(one**2 for one in inverse)
        return Curve(0.0, sum(one * error for one, error in zip(inverse, errors, strict=True)) / squares, exponent)
    return Curve(a, b, exponent)
