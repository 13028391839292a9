"""How much one agent may weigh: no more than a cap, whatever it writes.

An agent's rows count up to a cap, in rows, that follows from how many rows everybody has; what is counted, and which
rows are left out for it, is the business of whoever asks.
"""

from typing import Final

import numpy as np

from spots_ml.estimates.largest_share import MAX_AGENT_SHARE

_TINY: Final = 1e-12
_ROUNDING: Final = 1e-9


def row_cap(n_rows: np.ndarray, max_share: float = MAX_AGENT_SHARE, *, equal_shares: float = 1.0) -> float:
    """Tell how many rows of an agent count, at most.

    The largest cap with which no agent has more than `max(max_share, equal_shares / n_agents)` of the rows that count:
    with few agents nobody can have less than an equal share.

    Args:
        n_rows: `(n_agents,)` rows of each agent, at least 0; agents without rows are none.
        max_share: Largest share of one agent, in (0, 1].
        equal_shares: How many times an equal share an agent may have where that is more; at least 1. With 1 few agents
            all count as much as the one with the fewest rows, which is right for shares; where rows are left out, 2.

    Returns:
        The cap, in rows; the largest number of rows where it leaves nothing out, 0 without rows.

    >>> round(row_cap(np.array([5_000.0, *np.full(199, 25.0)])), 2)
    101.53
    >>> [round(row_cap(np.array([300, 20, 10]), equal_shares=times), 2) for times in (1.0, 2.0)]
    [10.0, 60.0]
    """
    sizes = np.sort(np.asarray(n_rows, dtype=np.float64)[np.asarray(n_rows) > 0])[::-1]
    if not len(sizes):
        return 0.0
    share = min(max(max_share, equal_shares / len(sizes)), 1.0)
    n_capped = np.arange(len(sizes))
    rest = sizes.sum() - np.append(0.0, np.cumsum(sizes)[:-1])
    # With the k largest capped, cap = share x (k x cap + rows of the others); k is the least that holds for the next.
    caps = share * rest / np.maximum(1.0 - share * n_capped, _TINY)
    k = int(np.argmax(sizes <= caps * (1.0 + _ROUNDING)))
    return float(sizes[0] if k == 0 else min(caps[k], sizes[k - 1]))


def capped_share(part: np.ndarray, whole: np.ndarray, max_share: float = MAX_AGENT_SHARE) -> float | None:
    """Take a share of rows in which no agent weighs more than the cap.

    Args:
        part: `(n_agents,)` rows of each agent that are meant.
        whole: `(n_agents,)` all its rows, at least as many.
        max_share: Largest weight of one agent, in (0, 1].

    Returns:
        The share, in [0, 1]: that of the rows where nobody has more than the cap; with at most `1 / max_share` agents
        the mean of the agents' own shares. None without rows.

    >>> round(capped_share(np.array([540, *np.zeros(100)]), np.array([540, *np.full(100, 100)])), 4)
    0.02
    """
    there = whole > 0
    if not there.any():
        return None
    weight = np.minimum(1.0, row_cap(whole, max_share) / whole[there])
    return float((weight * part[there]).sum() / (weight * whole[there]).sum())
