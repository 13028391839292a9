"""Which rows of decisions tell the same one, whatever their route: agent, opportunity, moment by the millisecond."""

import numpy as np
import pyarrow as pa

from spots_ml.interactions.columns import times
from spots_ml.interactions.judging.merging import coded, truncated

SAME_DECISION = ("agent_id", "opportunity_id", "decided_at")
"""The columns that make a decision itself."""


def same_decision(decisions: pa.Table) -> np.ndarray:
    """Number decisions.

    Args:
        decisions: `n` rows with the columns `SAME_DECISION`; null where unknown.

    Returns:
        `(n,)` int64, equal for rows that tell the same decision.
    """
    # What is unknown is coded as -1; a moment that is unknown is a number below every other.
    agent, opportunity = (coded(decisions[name])[1] + 1 for name in SAME_DECISION[:2])
    pair = agent * (opportunity.max(initial=0) + 1) + opportunity
    numbers = [
        np.unique(part, return_inverse=True)[1]
        for part in (pair, truncated(times(decisions["decided_at"])).view(np.int64))
    ]
    number: np.ndarray = numbers[0] * (numbers[1].max(initial=0) + 1) + numbers[1]
    return number


def repeated(number: np.ndarray, order: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Tell which rows say what another one has said before them.

    Args:
        number: `(n,)` of `same_decision`.
        order: `(n,)` positions of all rows, the first that is to count first.
        counted: `(n,)` bool: only these rows take part.

    Returns:
        `(n,)` bool; false for rows that take no part.

    >>> repeated(np.array([5, 5, 5, 7]), np.array([2, 0, 1, 3]), np.array([True, False, True, True])).tolist()
    [True, False, False, False]
    """
    rows = order[counted[order]]
    found = np.zeros(len(number), bool)
    found[rows] = True
    # The first of equal numbers in the order of `rows`.
    found[rows[np.unique(number[rows], return_index=True)[1]]] = False
    return found
