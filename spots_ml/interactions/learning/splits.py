"""Which rows train, which choose the epoch and calibrate, and which are the proof: by agent, and by time.

An agent is in one part only. Where timestamps exist, every test row is later than every training and
validation row; rows that would break this are purged, and agents are allotted so that few are. In no part has an agent
more rows than a cap, nor a pair of agent and opportunity; rows over a cap are in no part either. What the rules cost,
and why they are worth it, is in `docs/decisions/splits.md`.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from spots_ml.errors import ConfigError, InsufficientDataError
from spots_ml.estimates.agents import Agents
from spots_ml.estimates.caps import row_cap
from spots_ml.interactions.learning.row_caps import EQUAL_SHARES, measure_parts, within_cap
from spots_ml.interactions.learning.split_rules import SplitRules, SplitSizes

TRAIN: Final = 0
VALIDATION: Final = 1
TEST: Final = 2
PURGED: Final = -1
OVER_CAP: Final = -2
PARTS: Final = ("train", "validation", "test")
"""Names of the parts; the position is the code."""

_N_PARTS: Final = len(PARTS)
_CUT_QUANTILES: Final = np.linspace(0.40, 0.98, 30)
"""Where the boundary of the test period is tried, as shares of the timed rows."""
_LARGE_AGENT_SHARE: Final = 0.01
"""Agents with a larger share of the rows are allotted one by one, so that none of them overfills a part."""
_ROUNDING: Final = 1e-6


def split_rows(
    agent: np.ndarray,
    scored_at: np.ndarray,
    *,
    seed: int,
    pairs: Sequence[np.ndarray] = (),
    rules: SplitRules | None = None,
    fractions: tuple[float, float, float] = (0.70, 0.15, 0.15),
) -> np.ndarray:
    """Split rows into training, validation and test.

    Args:
        agent: `(n_rows,)` codes or names; equal for rows of one agent.
        scored_at: `(n_rows,)` datetime64 in UTC; NaT where unknown. Rows without a time stay on their agent's
            side.
        seed: Which of the possible splits, and which rows of an agent with too many; the same arguments always give the
            same one.
        pairs: `(n_rows,)` codes each, equal for rows of one agent about one opportunity.
        rules: The caps, and the least that each part needs; the defaults when absent.
        fractions: Wanted shares of training, validation and test among the rows that are kept; above 0, sum
            1. They are met as nearly as whole agents and the least numbers allow.

    Returns:
        `(n_rows,)` int8: `TRAIN`, `VALIDATION`, `TEST`, `PURGED` for a row on the wrong side of the boundary in time,
        or `OVER_CAP`. Nothing is purged where no row has a time, or all have the same one.

    Raises:
        ConfigError: When the fractions are not three positive numbers with sum 1.
        InsufficientDataError: When there are too few agents for three parts, or a part would have too few, or one in
            which a few have nearly all rows.

    >>> never = np.full(100, np.datetime64("NaT"))
    >>> np.bincount(split_rows(np.arange(100), never, seed=1)).tolist()
    [70, 15, 15]
    """
    if len(fractions) != _N_PARTS or min(fractions) <= 0 or abs(sum(fractions) - 1.0) > 1e-9:
        raise ConfigError(f"split fractions are {fractions}; expected three positive shares with sum 1")
    rules, agents = rules or SplitRules(), Agents.of(agent)
    if agents.n < _N_PARTS * rules.min_agents:
        raise InsufficientDataError(
            f"{agents.n} agents in {len(agents.code)} rows; a split by agent needs at least "
            f"{_N_PARTS * rules.min_agents}, {rules.min_agents} in each part: collect interactions of more agents"
        )
    moments = np.asarray(scored_at, dtype="datetime64[us]")
    counted = np.ones(len(moments), dtype=bool)
    for pair in pairs:
        counted[counted] = within_cap(pair[counted], rules.max_rows_per_pair, moments[counted], seed=seed)
    counted[counted] = _capped(agents.code[counted], moments[counted], rules, seed=seed)
    split = np.full(len(moments), OVER_CAP, dtype=np.int8)
    split[counted] = _by_agent_and_time(agents.code[counted], moments[counted], fractions, rules.min_agents, seed)
    for part in range(_N_PARTS):
        rows = np.flatnonzero(split == part)
        split[rows[~_capped(agents.code[rows], moments[rows], rules, seed=seed)]] = OVER_CAP
    _refuse_few(split, agents, rules)
    return split


def split_sizes(split: np.ndarray, agent: np.ndarray, rules: SplitRules) -> SplitSizes:
    """Tell how many rows and agents are in each part, and who weighs most there.

    Args:
        split: `(n_rows,)` as `split_rows` gives it.
        agent: `(n_rows,)` codes or names.
        rules: What it was split by.

    Returns:
        The sizes.
    """
    return SplitSizes(
        rules=rules,
        n_purged=int(np.sum(split == PURGED)),
        n_over_cap=int(np.sum(split == OVER_CAP)),
        parts=measure_parts(split, Agents.of(agent), PARTS),
    )


def _capped(codes: np.ndarray, moments: np.ndarray, rules: SplitRules, *, seed: int) -> np.ndarray:
    """Tell which rows stay within the cap of their agents, one that follows from all these rows."""
    cap = row_cap(np.bincount(codes), rules.max_agent_share, equal_shares=EQUAL_SHARES)
    return within_cap(codes, max(1, int(cap + _ROUNDING)), moments, seed=seed)


def _refuse_few(split: np.ndarray, agents: Agents, rules: SplitRules) -> None:
    parts = measure_parts(split, agents, PARTS)
    if all(
        part.n_rows and part.n_agents >= rules.min_agents and part.effective_agents >= rules.min_effective_agents
        for part in parts.values()
    ):
        return
    found = ", ".join(
        f"{name} {part.n_rows:,} rows of {part.n_agents:,} agents, as many as {part.effective_agents:,.1f} equal ones"
        for name, part in parts.items()
    )
    raise InsufficientDataError(
        f"{agents.n} agents in {len(split)} rows are too few, or too few of them have most rows: {found}, "
        f"purged {int(np.sum(split == PURGED))}, over a cap {int(np.sum(split == OVER_CAP))}; every part needs "
        f"{rules.min_agents} agents, as many as {rules.min_effective_agents:g} equal ones: "
        "collect interactions of more agents over a longer time"
    )


def _by_agent_and_time(
    agent: np.ndarray, moments: np.ndarray, fractions: tuple[float, float, float], min_agents: int, seed: int
) -> np.ndarray:
    """Give every agent a part, and purge what lies on the wrong side of the boundary in time."""
    agents = Agents.of(agent)
    codes, n_agents = agents.code, agents.n
    least = max(1, min(min_agents, n_agents // _N_PARTS))
    generator = np.random.default_rng(seed)
    timed = ~np.isnat(moments)
    part_of = np.full(n_agents, TRAIN, dtype=np.int8)
    kept = np.ones(len(codes), dtype=bool)
    if len(np.unique(moments[timed])) < 2:
        part_of[:] = _allot(np.bincount(codes), fractions, generator, least)
    else:
        has_time = np.bincount(codes[timed], minlength=n_agents) > 0
        sizes = np.bincount(codes, minlength=n_agents)
        part_of[~has_time] = _allot(sizes[~has_time], fractions, generator, 1)
        cut = _latest_agents(codes, moments, has_time, part_of, fractions, generator, least)
        if cut is not None:
            in_test = part_of[codes] == TEST
            kept = ~timed | (in_test == (moments >= cut))
    return np.where(kept, part_of[codes], PURGED).astype(np.int8)


def _latest_agents(
    codes: np.ndarray,
    moments: np.ndarray,
    has_time: np.ndarray,
    part_of: np.ndarray,
    fractions: tuple[float, float, float],
    generator: np.random.Generator,
    least: int,
) -> np.datetime64 | None:
    """Allot the agents that have times, latest ones to test, with the boundary that purges the fewest rows.

    Args:
        codes: `(n_rows,)` position of each row's agent.
        moments: `(n_rows,)` datetime64[us]; NaT where unknown.
        has_time: `(n_agents,)` whether any row of the agent has a time.
        part_of: `(n_agents,)` int8, filled in for the agents that have times.
        fractions: Wanted shares of the parts.
        generator: Breaks ties and tells training from validation.
        least: Fewest agents of a part, where there are enough of them.

    Returns:
        The first moment of the test period; None when no boundary leaves rows on both sides, in which case
        these agents train.
    """
    agents = np.flatnonzero(has_time)
    least = max(1, min(least, len(agents) // _N_PARTS))
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
        enough = enough[enough >= least - 1]
        if len(enough) == 0 or len(agents) - 1 - enough[0] < (_N_PARTS - 1) * least:
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
    part_of[agents[rest]] = _allot(if_train[rest], wanted, generator, least)
    return cut


def _allot(sizes: np.ndarray, fractions: tuple[float, ...], generator: np.random.Generator, least: int) -> np.ndarray:
    """Allot agents to parts at random so that the parts' rows come near the wanted shares.

    Args:
        sizes: `(n_agents,)` rows of each agent.
        fractions: Wanted shares of the parts, sum 1.
        generator: Decides who goes where.
        least: Fewest agents of a part.

    Returns:
        `(n_agents,)` int8 part of each agent. No part has fewer than the least number while another has more.
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
        while counts[part] < least < counts.max():
            donors = np.flatnonzero(part_of == np.argmax(counts))
            part_of[donors[np.argmin(sizes[donors])]] = part
            counts = np.bincount(part_of, minlength=len(fractions))
    return part_of
