"""Yes-or-no answers and rankings against a truth: accuracy, precision, recall, F1, and the area under the curve."""

import numpy as np

from spots_ml.estimates.agents import Agents
from spots_ml.estimates.statistic import OfSums, mean, ratio


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
