"""Numbers as functions of how often each agent counts: ratios of sums, answers, rankings, and differences of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spots_ml.estimates.agents import Agents, Resampling
from spots_ml.estimates.estimate import Estimate, estimate_of


class Statistic(Protocol):
    """A number that can be taken again with some agents counted more often and others not at all."""

    @property
    def sides(self) -> tuple[np.ndarray, ...]:
        """What must be there, `(n_agents,)` each; see `estimate.estimate_of`."""
        ...

    @property
    def bounded(self) -> bool:
        """Whether it lies in [0, 1] whoever the agents are."""
        ...

    @property
    def n_rows(self) -> int:
        """Rows that count in it."""
        ...

    def of(self, counts: np.ndarray) -> np.ndarray:
        """Take it.

        Args:
            counts: `(k, n_agents)` float64, how often each agent counts.

        Returns:
            `(k,)`; NaN where undefined.
        """
        ...


@dataclass(frozen=True)
class OfSums:
    """A function of sums over rows.

    Attributes:
        sums: `(n_agents, n_sums)` each agent's part of the sums.
        function: From `(k, n_sums)` sums over agents to `(k,)` numbers.
        sides: As in `Statistic`.
        bounded: As in `Statistic`.
        n_rows: As in `Statistic`.
    """

    sums: np.ndarray
    function: Callable[[np.ndarray], np.ndarray]
    sides: tuple[np.ndarray, ...]
    bounded: bool
    n_rows: int

    def of(self, counts: np.ndarray) -> np.ndarray:
        """Take the number; see `Statistic`."""
        return self.function(counts @ self.sums)


def ratio(agents: Agents, part: np.ndarray, whole: np.ndarray, *, bounded: bool) -> OfSums:
    """State a ratio of two sums over rows: a mean, a share, precision, recall.

    Args:
        agents: Whose the rows are.
        part: `(n_rows,)` what is summed above the line.
        whole: `(n_rows,)` what is summed below it, at least 0; the ratio is undefined where that is 0.
        bounded: Whether each part is at least 0 and at most its whole.

    Returns:
        The number.
    """
    sums = agents.sums(part, whole)
    return OfSums(sums, _divide, (sums[:, 1],), bounded, int(np.count_nonzero(whole)))


def mean(agents: Agents, values: np.ndarray, *, bounded: bool) -> OfSums:
    """State a mean over rows.

    Args:
        agents: Whose the rows are.
        values: `(n_rows,)`.
        bounded: Whether they lie in [0, 1].

    Returns:
        The number.
    """
    return ratio(agents, values, np.ones(len(values)), bounded=bounded)


@dataclass(frozen=True)
class Difference:
    """How much one number exceeds another of the same agents: both are taken with the same agents each time.

    Attributes:
        one: The number.
        other: What is subtracted.
    """

    one: Statistic
    other: Statistic
    bounded: bool = False

    @property
    def sides(self) -> tuple[np.ndarray, ...]:
        """What both need."""
        return (*self.one.sides, *self.other.sides)

    @property
    def n_rows(self) -> int:
        """Rows of the one that has fewer."""
        return min(self.one.n_rows, self.other.n_rows)

    def of(self, counts: np.ndarray) -> np.ndarray:
        """Take the difference; see `Statistic`."""
        difference: np.ndarray = self.one.of(counts) - self.other.of(counts)
        return difference


def estimate_all(statistics: Mapping[str, Statistic], resampling: Resampling) -> dict[str, Estimate]:
    """Estimate numbers of the same agents, each with a 95 % interval over agents.

    Args:
        statistics: By name.
        resampling: How agents are drawn again: the same agents for all of the numbers.

    Returns:
        The estimates by name; one number's does not depend on the others. All null where the number is undefined.

    Raises:
        ConfigError: When there is to be no resample.
    """
    if not statistics:
        return {}
    n_agents = len(next(iter(statistics.values())).sides[0])
    if n_agents == 0:
        nothing = Estimate(value=None, low=None, high=None, method="none", n_rows=0, n_agents=0)
        return dict.fromkeys(statistics, nothing)
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in statistics}
    for counts in resampling.counts(n_agents):
        for name, statistic in statistics.items():
            drawn[name].append(statistic.of(counts))
    once = np.ones((1, n_agents))
    return {
        name: estimate_of(
            float(statistic.of(once)[0]),
            np.concatenate(drawn[name]),
            sides=statistic.sides,
            bounded=statistic.bounded,
            n_rows=statistic.n_rows,
        )
        for name, statistic in statistics.items()
    }


def _divide(sums: np.ndarray) -> np.ndarray:
    """The first sum over the second, NaN where that is 0."""
    ratios: np.ndarray = np.divide(sums[:, 0], sums[:, 1], out=np.full(len(sums), np.nan), where=sums[:, 1] > 0)
    return ratios


def answer_quality(agents: Agents, answer: np.ndarray, truth: np.ndarray) -> dict[str, OfSums]:
    """State how good answers are.

    Args:
        agents: Whose the rows are.
        answer: `(n_rows,)` bool.
        truth: `(n_rows,)` bool.

    Returns:
        `accuracy`; `precision`, undefined where no answer is yes; `recall`, undefined where nothing is true; `f1`,
        undefined where both are.
    """
    hits = answer & truth
    both = answer.astype(np.float64) + truth
    return {
        "accuracy": mean(agents, answer == truth, bounded=True),
        "precision": ratio(agents, hits, answer, bounded=True),
        "recall": ratio(agents, hits, truth, bounded=True),
        "f1": ratio(agents, 2.0 * hits, both, bounded=True),
    }


class AreaUnderCurve:
    """The probability that a true row is ranked above a false one; a tie counts half (Mann-Whitney).

    Rows are ranked once; a resample only changes how often each counts.

    Args:
        agents: Whose the rows are.
        score: `(n_rows,)` what ranks.
        truth: `(n_rows,)` bool.
    """

    bounded = True

    def __init__(self, agents: Agents, score: np.ndarray, truth: np.ndarray) -> None:
        values, rank = np.unique(score, return_inverse=True)
        self._n_ranks, self.n_rows = len(values), len(score)
        self._above, self._below = ((rank[rows], agents.code[rows]) for rows in (truth, ~truth))
        self.sides: tuple[np.ndarray, ...] = tuple(
            np.bincount(code, minlength=agents.n).astype(np.float64) for _, code in (self._above, self._below)
        )

    def of(self, counts: np.ndarray) -> np.ndarray:
        """Take the area; memory for one resample at a time. See `Statistic`; undefined without rows of both kinds."""
        return np.array([self._once(each) for each in counts])

    def _once(self, counts: np.ndarray) -> float:
        above, below = (np.bincount(rank, counts[code], self._n_ranks) for rank, code in (self._above, self._below))
        pairs = float(above.sum() * below.sum())
        return float(above @ (np.cumsum(below) - below / 2.0)) / pairs if pairs > 0.0 else float("nan")
