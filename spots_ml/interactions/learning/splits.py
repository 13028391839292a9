"""Which rows train, which choose the epoch and calibrate, and which are the proof: by agent, and by time.

An agent is in one part only. Where timestamps exist, every test row is later than every training and
validation row; rows that would break this are purged, and agents are allotted so that few are. What the rule
costs, and why it is worth it, is in `docs/decisions/splits.md`.
"""

from typing import Final

import numpy as np

from spots_ml.errors import ConfigError, InsufficientDataError
from spots_ml.estimates.agents import Agents

TRAIN: Final = 0
VALIDATION: Final = 1
TEST: Final = 2
PURGED: Final = -1
PARTS: Final = ("train", "validation", "test")
"""Names of the parts; the position is the code."""

_N_PARTS: Final = len(PARTS)
_CUT_QUANTILES: Final = np.linspace(0.40, 0.98, 30)
"""Where the boundary of the test period is tried, as shares of the timed rows."""
_LARGE_AGENT_SHARE: Final = 0.01
"""Agents with a larger share of the rows are allotted one by one, so that none of them overfills a part."""


def split_rows(
    agent: np.ndarray,
    scored_at: np.ndarray,
    *,
    seed: int,
    fractions: tuple[float, float, float] = (0.70, 0.15, 0.15),
) -> np.ndarray:
    """Split rows into training, validation and test.

    Args:
        agent: `(n_rows,)` codes or names; equal for rows of one agent.
        scored_at: `(n_rows,)` datetime64 in UTC; NaT where unknown. Rows without a time stay on their agent's
            side.
        seed: Which of the possible splits; the same arguments always give the same one.
        fractions: Wanted shares of training, validation and test among the rows that are kept; above 0, sum
            1. They are met as nearly as whole agents allow.

    Returns:
        `(n_rows,)` int8: `TRAIN`, `VALIDATION`, `TEST`, or `PURGED` for a row on the wrong side of the
        boundary in time. Nothing is purged where no row has a time, or all have the same one.

    Raises:
        ConfigError: When the fractions are not three positive numbers with sum 1.
        InsufficientDataError: When there are fewer than three agents, or a part would stay empty.

    >>> never = np.full(100, np.datetime64("NaT"))
    >>> np.bincount(split_rows(np.arange(100), never, seed=1)).tolist()
    [70, 15, 15]
    """
    if len(fractions) != _N_PARTS or min(fractions) <= 0 or abs(sum(fractions) - 1.0) > 1e-9:
        raise ConfigError(f"split fractions are {fractions}; expected three positive shares with sum 1")
    agents = Agents.of(agent)
    codes, n_agents = agents.code, agents.n
    if n_agents < _N_PARTS:
        raise InsufficientDataError(
            f"{n_agents} agents in {len(codes)} rows; a split by agent needs at least {_N_PARTS}: "
            "collect interactions of more agents"
        )
    generator = np.random.default_rng(seed)
    moments = np.asarray(scored_at, dtype="datetime64[us]")
    timed = ~np.isnat(moments)
    part_of = np.full(n_agents, TRAIN, dtype=np.int8)
    kept = np.ones(len(codes), dtype=bool)
    if len(np.unique(moments[timed])) < 2:
        part_of[:] = _allot(np.bincount(codes), fractions, generator)
    else:
        has_time = np.bincount(codes[timed], minlength=n_agents) > 0
        sizes = np.bincount(codes, minlength=n_agents)
        part_of[~has_time] = _allot(sizes[~has_time], fractions, generator)
        cut = _latest_agents(codes, moments, has_time, part_of, fractions, generator)
        if cut is not None:
            in_test = part_of[codes] == TEST
            kept = ~timed | (in_test == (moments >= cut))
    split = np.where(kept, part_of[codes], PURGED).astype(np.int8)
    counts = [int(np.sum(split == part)) for part in range(_N_PARTS)]
    if min(counts) == 0:
        found = ", ".join(f"{name} {count}" for name, count in zip(PARTS, counts, strict=True))
        raise InsufficientDataError(
            f"{n_agents} agents in {len(codes)} rows leave a part without rows ({found}, "
            f"purged {int(np.sum(split == PURGED))}): collect interactions of more agents over a longer time"
        )
    return split


def _latest_agents(
    codes: np.ndarray,
    moments: np.ndarray,
    has_time: np.ndarray,
    part_of: np.ndarray,
    fractions: tuple[float, float, float],
    generator: np.random.Generator,
) -> np.datetime64 | None:
    """Allot the agents that have times, latest ones to test, with the boundary that purges the fewest rows.

    Args:
        codes: `(n_rows,)` position of each row's agent.
        moments: `(n_rows,)` datetime64[us]; NaT where unknown.
        has_time: `(n_agents,)` whether any row of the agent has a time.
        part_of: `(n_agents,)` int8, filled in for the agents that have times.
        fractions: Wanted shares of the parts.
        generator: Breaks ties and tells training from validation.

    Returns:
        The first moment of the test period; None when no boundary leaves rows on both sides, in which case
        these agents train.
    """
    agents = np.flatnonzero(has_time)
    timed = ~np.isnat(moments)
    n_agents = len(has_time)
    untimed = np.bincount(codes[~timed], minlength=n_agents)[agents]
    total = np.bincount(codes[timed], minlength=n_agents)[agents]
    luck = generator.random(len(agents))
    best: tuple[int, np.datetime64, np.ndarray, np.ndarray] | None = None
    ordered = np.sort(moments[timed])
    quantiles = np.append(_CUT_QUANTILES, 1 - fractions[TEST])
    for cut in np.unique(ordered[(quantiles * len(ordered)).astype(int)]):
        late = np.bincount(codes[timed & (moments >= cut)], minlength=n_agents)[agents]
        if_test, if_train = late + untimed, total - late + untimed
        order = np.lexsort((luck, if_train - if_test))
        n_test = np.cumsum(if_test[order])
        n_kept = n_test + if_train.sum() - np.cumsum(if_train[order])
        enough = np.flatnonzero((n_test >= fractions[TEST] * n_kept) & (n_test > 0))
        if len(enough) == 0 or enough[0] > len(agents) - _N_PARTS:
            continue
        last = enough[0]
        if best is None or n_kept[last] > best[0]:
            best = int(n_kept[last]), cut, agents[order[: last + 1]], if_train
    if best is None:
        return None
    _, cut, chosen, if_train = best
    part_of[chosen] = TEST
    rest = np.isin(agents, chosen, invert=True)
    wanted = (fractions[TRAIN] / (1 - fractions[TEST]), fractions[VALIDATION] / (1 - fractions[TEST]))
    part_of[agents[rest]] = _allot(if_train[rest], wanted, generator)
    return cut


def _allot(sizes: np.ndarray, fractions: tuple[float, ...], generator: np.random.Generator) -> np.ndarray:
    """Allot agents to parts at random so that the parts' rows come near the wanted shares.

    Args:
        sizes: `(n_agents,)` rows of each agent.
        fractions: Wanted shares of the parts, sum 1.
        generator: Decides who goes where.

    Returns:
        `(n_agents,)` int8 part of each agent. No part stays empty while there are as many agents as parts.
    """
    part_of = np.zeros(len(sizes), dtype=np.int8)
    order = generator.permutation(len(sizes))
    missing = np.array(fractions) * sizes.sum()
    large = sizes[order] > _LARGE_AGENT_SHARE * sizes.sum()
    for agent in sorted(order[large], key=lambda agent: -sizes[agent]):
        part_of[agent] = part = int(np.argmax(missing))
        missing[part] -= sizes[agent]
    small = order[~large]
    bounds = np.cumsum(np.maximum(missing, 0.0))
    middle = np.cumsum(sizes[small]) - sizes[small] / 2
    last_part = len(fractions) - 1
    part_of[small] = np.minimum(np.searchsorted(bounds, middle, side="right"), last_part)
    for part in range(len(fractions)):
        counts = np.bincount(part_of, minlength=len(fractions))
        if counts[part] == 0 and counts.max() > 1:
            donors = np.flatnonzero(part_of == np.argmax(counts))
            part_of[donors[np.argmin(sizes[donors])]] = part
    return part_of
