"""Whether what comes in now is still what a version learned from: inputs, the formula's score, outcomes, their rate.

One row of each agent counts, drawn at random, on either side: nobody makes drift alone, and rows of one agent are
alike. Each column has a test of its own (Kolmogorov-Smirnov; Fisher's for the label rate); the procedure of Benjamini
and Hochberg (1995) bounds the share of false findings over all columns of the day and of the days before, because 39
tests a day at 5 % find something on most quiet days. What is found must also be large: the population stability index,
less what chance alone makes of it at these sizes (the mean over permutations), reaches a least size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

LEVEL: Final = 0.05
"""Largest expected share of false findings among all."""
LEAST_AGENTS: Final = 100
"""Fewest agents with a value, on either side, that a column is tested with."""
LEAST_SHIFT: Final = 0.05
"""Smallest population stability index, less that of chance, that is a drift. 0.1 is often called small, 0.25 large."""

_BINS: Final = 10
_PERMUTATIONS: Final = 100


@dataclass(frozen=True)
class Column:
    """One column beside what was learned from, an agent once on either side.

    Attributes:
        name: Such as `energy_match`.
        learned: `(n,)` values that were learned from, without unknown ones.
        now: `(m,)` values that come in now.
        binary: Whether these are 0 and 1.
    """

    name: str
    learned: np.ndarray
    now: np.ndarray
    binary: bool = False


@dataclass(frozen=True)
class ColumnDrift:
    """What came of one column.

    Attributes:
        name: Of the column.
        p_value: Probability of a difference this large by chance, alone.
        shift: Population stability index less that of chance; about 0 without a drift.
        learned_mean: Mean of what was learned from.
        now_mean: Mean of what comes in now.
        found: Whether it is a drift.
    """

    name: str
    p_value: float
    shift: float
    learned_mean: float
    now_mean: float
    found: bool

    def __str__(self) -> str:
        return f"{self.name} from {self.learned_mean:.2f} to {self.now_mean:.2f}"


def one_row_each(agents: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw one row of each agent.

    Args:
        agents: `(n_rows,)` integer codes; equal for rows of one agent.
        random: Draws; every row of an agent is as likely as its others.

    Returns:
        Positions, one per agent.
    """
    order = random.permutation(len(agents))
    _, first = np.unique(agents[order], return_index=True)
    return order[first]


def measure_drift(
    columns: Sequence[Column], before: Sequence[float], random: np.random.Generator
) -> tuple[ColumnDrift, ...]:
    """Test columns beside what was learned from.

    Args:
        columns: An agent once on either side of each.
        before: p-values of the days before, which today's are corrected together with.
        random: Permutes.

    Returns:
        One per column that has enough agents on either side, in their order.
    """
    tested = [one for one in columns if min(len(one.learned), len(one.now)) >= LEAST_AGENTS]
    p_values = _p_values(tested)
    rejected = _rejected(np.concatenate([p_values, np.asarray(before, dtype=np.float64)]))[: len(tested)]
    shifts = [stability_shift(one, random) for one in tested]
    return tuple(
        ColumnDrift(
            name=one.name,
            p_value=float(p_value),
            shift=shift,
            learned_mean=float(np.mean(one.learned)),
            now_mean=float(np.mean(one.now)),
            found=bool(is_unlikely and shift >= LEAST_SHIFT),
        )
        for one, p_value, is_unlikely, shift in zip(tested, p_values, rejected, shifts, strict=True)
    )


def stability_shift(column: Column, random: np.random.Generator) -> float:
    """Measure the population stability index, less what it is by chance.

    Args:
        column: With a value on either side.
        random: Permutes who is on which side.

    Returns:
        About 0 without a drift, also with few values; negative by chance. 0 where all values are the same.
    """
    edges = np.unique(np.quantile(column.learned, np.linspace(0.0, 1.0, _BINS + 1)[1:-1]))
    if column.binary:
        edges = np.array([0.5])
    bins = np.searchsorted(edges, np.concatenate([column.learned, column.now]), side="right")
    n_bins, n_learned = len(edges) + 1, len(column.learned)
    everybody = np.bincount(bins, minlength=n_bins)

    def index(learned: np.ndarray) -> np.ndarray:
        # Half a value in each bin: none is empty.
        was, now = (
            (side + 0.5) / (side.sum(axis=-1, keepdims=True) + 0.5 * n_bins) for side in (learned, everybody - learned)
        )
        told: np.ndarray = np.sum((now - was) * np.log(now / was), axis=-1)
        return told

    # Which of all values the one side gets by chance, bin by bin, without a permutation of them all.
    by_chance = random.multivariate_hypergeometric(everybody, n_learned, size=_PERMUTATIONS)
    found = index(np.bincount(bins[:n_learned], minlength=n_bins))
    return float(found - index(by_chance).mean())


def _p_values(columns: Sequence[Column]) -> np.ndarray:
    """As `scipy.stats.fisher_exact` and `ks_2samp` tell them; the distribution is asked once for all columns."""
    from scipy import stats

    sizes = [len(one.learned) * len(one.now) / (len(one.learned) + len(one.now)) for one in columns]
    gaps = np.array([0.0 if one.binary else _largest_gap(one) for one in columns])
    p_values: np.ndarray = np.clip(stats.kstwo.sf(gaps, np.round(sizes)), 0.0, 1.0)
    for place, one in enumerate(columns):
        if one.binary:
            ones = [int(side.sum()) for side in (one.learned, one.now)]
            zeros = [len(one.learned) - ones[0], len(one.now) - ones[1]]
            p_values[place] = stats.fisher_exact([ones, zeros]).pvalue
    return p_values


def _largest_gap(column: Column) -> float:
    """Between the two cumulated shares."""
    learned, now = np.sort(column.learned), np.sort(column.now)
    values = np.concatenate([learned, now])
    shares = [np.searchsorted(side, values, side="right") / len(side) for side in (learned, now)]
    return float(np.abs(shares[0] - shares[1]).max())


def _rejected(p_values: np.ndarray) -> np.ndarray:
    """Benjamini and Hochberg's step-up procedure at `LEVEL`."""
    n = len(p_values)
    if n == 0:
        return np.zeros(0, dtype=bool)
    passing = np.sort(p_values) <= LEVEL * np.arange(1, n + 1) / n
    if not passing.any():
        return np.zeros(n, dtype=bool)
    largest = np.sort(p_values)[np.flatnonzero(passing)[-1]]
    rejected: np.ndarray = p_values <= largest
    return rejected


def told_drift(columns: Sequence[ColumnDrift], *, n_agents: int) -> str:
    """Tell what was found, in one line.

    Args:
        columns: What came of each.
        n_agents: Agents that came in.

    Returns:
        The columns that drifted, the largest shifts first.
    """
    drifted = sorted((one for one in columns if one.found), key=lambda one: -one.shift)
    if not drifted:
        return f"no drift in {len(columns)} columns, by {n_agents:,} agents"
    more = f" and {len(drifted) - 5} more" if len(drifted) > 5 else ""
    return f"{len(drifted)} of {len(columns)} columns drifted, by {n_agents:,} agents: " + (
        ", ".join(map(str, drifted[:5])) + more
    )
