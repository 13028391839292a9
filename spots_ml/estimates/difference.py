"""How far two groups of agents are apart, from what is kept of each: its number and its interval."""

import math

from spots_ml.estimates.estimate import Estimate, kept


def difference(ours: Estimate, theirs: Estimate) -> Estimate:
    """Subtract two numbers that were measured on different agents.

    The interval recovers each number's variance from the ends of its own interval (MOVER: Zou and Donner 2008,
    "Construction of confidence limits about effect measures"). It holds where no agent is in both groups; numbers of
    the same agents are subtracted before they are summed up (`estimates.statistic`).

    Args:
        ours: One group's number, with its 95 % interval.
        theirs: The other's.

    Returns:
        `ours - theirs` with its 95 % interval; no value where one has none, no interval where one has none. Its agents
        are those of the smaller group, its rows those of both.

    >>> apart = difference(Estimate(value=0.5, low=0.4, high=0.6), Estimate(value=0.3, low=0.2, high=0.4))
    >>> apart.value, round(apart.low, 4), round(apart.high, 4)
    (0.2, 0.0586, 0.3414)
    """
    n_rows = None if ours.n_rows is None or theirs.n_rows is None else ours.n_rows + theirs.n_rows
    n_agents = None if ours.n_agents is None or theirs.n_agents is None else min(ours.n_agents, theirs.n_agents)
    nothing = Estimate(value=None, low=None, high=None, method="none", n_rows=n_rows, n_agents=n_agents)
    if ours.value is None or theirs.value is None:
        return nothing
    value = ours.value - theirs.value
    if ours.low is None or ours.high is None or theirs.low is None or theirs.high is None:
        return nothing.model_copy(update={"value": kept(value)})
    low = value - math.hypot(ours.value - ours.low, theirs.high - theirs.value)
    high = value + math.hypot(ours.high - ours.value, theirs.value - theirs.low)
    return nothing.model_copy(
        update={"value": kept(value), "low": kept(low), "high": kept(high), "method": "recovered_variance"}
    )
