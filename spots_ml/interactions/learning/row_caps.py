"""How many rows an agent, and an agent about one opportunity, may have in a part of the split, and which ones stay.

Who is in which part is the business of `splits`.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from spots_ml.estimates.agents import Agents, effective_number
from spots_ml.interactions.learning.split_rules import PartSize

EQUAL_SHARES: Final = 2.0
"""How many times an equal share an agent may have in a part of few agents."""


def within_cap(group: np.ndarray, cap: int, moments: np.ndarray, *, seed: int) -> np.ndarray:
    """Choose the rows that stay where a group has more than it may.

    Args:
        group: `(n_rows,)` int64 codes, at least 0.
        cap: Most rows of a group.
        moments: `(n_rows,)` datetime64[us]; the choice depends on them, so that it does not on the order of rows.
        seed: Which of the possible choices. Rows of the same moment, or of none, are chosen by their order.

    Returns:
        `(n_rows,)` bool, at most `cap` of each group.

    >>> within_cap(np.array([0, 0, 0, 1]), 2, np.arange(4).astype("M8[us]"), seed=1).tolist()
    [True, True, False, True]
    """
    if not len(group) or np.bincount(group).max() <= cap:
        return np.ones(len(group), dtype=bool)
    mixed = (moments.view(np.int64).view(np.uint64) + np.uint64(seed)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    luck = np.random.default_rng((seed, 5)).random(len(group))
    order = np.lexsort((luck, mixed, group))
    starts = np.flatnonzero(np.append(True, np.diff(group[order]) != 0))
    rank = np.arange(len(group)) - np.repeat(starts, np.diff(np.append(starts, len(group))))
    kept = np.empty(len(group), dtype=bool)
    kept[order] = rank < cap
    return kept


def same_pairs(
    agent: np.ndarray, opportunity: np.ndarray, vibes: np.ndarray, unknown: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Number the pairs of agent and opportunity, once by name and once by what the opportunity looks like.

    Under another name an opportunity with the very same vibes is the same to a model.

    Args:
        agent: `(n_rows,)` int64 codes.
        opportunity: `(n_rows,)` int64 codes; -1 where unknown.
        vibes: `(n_rows, 12)` float32 of the opportunity.
        unknown: `(n_rows, 12)` bool, which of them are unknown.

    Returns:
        `(n_rows,)` int64 twice, from 0; rows without an opportunity, or of which no vibe is known, are pairs of their
        own.
    """
    looks = np.zeros(len(vibes), np.uint64)
    for place in range(vibes.shape[1]):
        bits = np.ascontiguousarray(vibes[:, place], dtype=np.float32).view(np.uint32).astype(np.uint64)
        looks = (looks ^ bits) * np.uint64(0x9E3779B97F4A7C15)
        looks ^= looks >> np.uint64(29)
    _, look = np.unique(looks, return_inverse=True)
    return _pairs(agent, opportunity), _pairs(agent, np.where(unknown.all(axis=1), -1, look))


def measure_parts(split: np.ndarray, agents: Agents, names: Sequence[str]) -> dict[str, PartSize]:
    """Measure the parts of a split.

    Args:
        split: `(n_rows,)` integers; a part's code is its position among the names.
        agents: Whose the rows are.
        names: Of the parts.

    Returns:
        How much is in each.
    """
    found = {}
    for part, name in enumerate(names):
        sizes = np.bincount(agents.code[split == part], minlength=agents.n).astype(np.float64)
        n_rows = int(sizes.sum())
        found[name] = PartSize(
            n_rows=n_rows,
            n_agents=int(np.count_nonzero(sizes)),
            effective_agents=round(effective_number(sizes), 3),
            largest_agent_share=round(float(sizes.max()) / n_rows, 6) if n_rows else 0.0,
        )
    return found


def _pairs(agent: np.ndarray, opportunity: np.ndarray) -> np.ndarray:
    known = opportunity >= 0
    width = int(opportunity.max(initial=0)) + 1
    codes = np.where(known, agent * width + opportunity, -1 - np.arange(len(agent)))
    return np.unique(codes, return_inverse=True)[1]
