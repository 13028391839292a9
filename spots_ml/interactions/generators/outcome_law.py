"""How an outcome follows from a score in generated data, and its exact conditional mean and tail.

A called agent experiences about what the score promised, with noise; an agent that was not called draws from
a distribution of its own. Which scores, thresholds and noises belong together is in `seed_law` and
`hybrid_law`.
"""

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from scipy.special import ndtr

DECIMALS: Final = 4
"""Decimals of generated features and outcomes, as in the app's exports."""
POSITIVE_FROM: Final = 0.7
"""Least outcome score of a positive outcome."""
NEUTRAL_FROM: Final = 0.4
"""Least outcome score of a neutral outcome."""

_HALF_STEP: Final = 0.5 * 10.0**-DECIMALS
"""Rounding lifts outcomes this far below a bound onto it."""
_SCORE_TOLERANCE: Final = 4e-7
"""About half of 1/1,200,000, of which scores of features with four decimals are whole multiples."""


class UncalledLaw(Protocol):
    """Distribution of the outcome score of an agent that was not called."""

    @property
    def mean(self) -> float:
        """Expected outcome score, in [0, 1]."""

    def draw(self, n_rows: int, generator: np.random.Generator) -> np.ndarray:
        """Draw `(n_rows,)` outcome scores in [0, 1]."""

    def tail(self, bound: float) -> float:
        """Give the probability of an outcome score of at least `bound`, in [0, 1]."""


@dataclass(frozen=True)
class BetaFromOne:
    """The distribution Beta(1, b): most outcomes near 0.

    Attributes:
        b: Second parameter, above 0.
    """

    b: float

    @property
    def mean(self) -> float:
        """Expected outcome score, in [0, 1]."""
        return 1.0 / (1.0 + self.b)

    def draw(self, n_rows: int, generator: np.random.Generator) -> np.ndarray:
        """Draw `(n_rows,)` outcome scores in [0, 1]."""
        return generator.beta(1.0, self.b, n_rows)

    def tail(self, bound: float) -> float:
        """Give the probability of an outcome score of at least `bound`, in [0, 1]."""
        return float((1.0 - bound) ** self.b)


@dataclass(frozen=True)
class UniformBelow:
    """The uniform distribution from 0 to a highest value.

    Attributes:
        high: Highest outcome score, in (0, 1].
    """

    high: float

    @property
    def mean(self) -> float:
        """Expected outcome score, in [0, 1]."""
        return self.high / 2.0

    def draw(self, n_rows: int, generator: np.random.Generator) -> np.ndarray:
        """Draw `(n_rows,)` outcome scores in [0, 1]."""
        return generator.uniform(0.0, self.high, n_rows)

    def tail(self, bound: float) -> float:
        """Give the probability of an outcome score of at least `bound`, in [0, 1]."""
        return max(0.0, 1.0 - bound / self.high)


@dataclass(frozen=True)
class OutcomeLaw:
    """Outcome = clip(score + Normal(0, noise_sd), 0, 1) where called, and a draw from `uncalled` elsewhere.

    Attributes:
        called_from: Least score at which the agent is called, in [0, 1].
        noise_sd: Standard deviation around the score, above 0.
        uncalled: Distribution where the agent is not called.
    """

    called_from: float
    noise_sd: float
    uncalled: UncalledLaw

    def called(self, score: np.ndarray) -> np.ndarray:
        """Decide who is called; `(n_rows,)` scores in [0, 1] to `(n_rows,)` bool."""
        called: np.ndarray = score >= self.called_from - _SCORE_TOLERANCE
        return called

    def draw(self, score: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Draw outcomes.

        Args:
            score: `(n_rows,)` calling scores in [0, 1].
            generator: The source of chance; advanced by a number of draws that depends on `n_rows` alone.

        Returns:
            `(n_rows,)` float64 outcome scores in [0, 1], rounded to four decimals.
        """
        experienced = np.clip(score + generator.normal(0.0, self.noise_sd, len(score)), 0.0, 1.0)
        uncalled = self.uncalled.draw(len(score), generator)
        return np.round(np.where(self.called(score), experienced, uncalled), DECIMALS)

    def expected_outcome(self, score: np.ndarray) -> np.ndarray:
        """Give the conditional mean of the outcome score.

        Args:
            score: `(n_rows,)` calling scores in [0, 1].

        Returns:
            `(n_rows,)` float64 in [0, 1].
        """
        return np.where(self.called(score), clipped_normal_mean(score, self.noise_sd), self.uncalled.mean)

    def positive_probability(self, score: np.ndarray) -> np.ndarray:
        """Give the conditional probability that the outcome is positive.

        Args:
            score: `(n_rows,)` calling scores in [0, 1].

        Returns:
            `(n_rows,)` float64 in [0, 1].
        """
        bound = POSITIVE_FROM - _HALF_STEP
        experienced = ndtr((score - bound) / self.noise_sd)
        return np.where(self.called(score), experienced, self.uncalled.tail(bound))


def clipped_normal_mean(mean: np.ndarray, sd: float) -> np.ndarray:
    """Give the mean of a normal variable that is clipped to [0, 1].

    With `a` and `b` the standardised bounds 0 and 1, `phi` and `Phi` the normal density and distribution
    function, it is mean * (Phi(b) - Phi(a)) + sd * (phi(a) - phi(b)) + 1 - Phi(b).

    Args:
        mean: `(n_rows,)` means before clipping.
        sd: Standard deviation before clipping, above 0.

    Returns:
        `(n_rows,)` float64 in [0, 1].

    >>> clipped_normal_mean(np.array([0.5]), 0.1).round(6).tolist()
    [0.5]
    """
    low, high = (0.0 - mean) / sd, (1.0 - mean) / sd
    inside = mean * (ndtr(high) - ndtr(low)) + sd * (_density(low) - _density(high))
    clipped: np.ndarray = inside + ndtr(-high)
    return clipped


def _density(standardised: np.ndarray) -> np.ndarray:
    density: np.ndarray = np.exp(-0.5 * standardised**2) / np.sqrt(2.0 * np.pi)
    return density
