"""The error budget over the life of a store: how much evidence the next promotion needs.

e-LOND (Xu and Ramdas 2024, "Online multiple testing with e-values"): the rollout number t is promoted when its evidence
reaches `1 / level_t`, `level_t = lifetime level x gamma_t x (promotions before + 1)`, where all `gamma` together are 1.
Then at most the lifetime level of all promoted versions is expected to be no better, however rollouts depend on each
other and whoever stops them when. Here `gamma_t` is proportional to `1 / (t log(t + 1)^1.5)`, which gives early
rollouts more than the usual sequence.
"""

import math
from typing import Final

from spots_ml.errors import ConfigError
from spots_ml.experiments.rollout import n_promoted_by_evidence
from spots_ml.experiments.rollout_store import RolloutLookup

_SUM_OF_ALL: Final = 4.078932
"""Sum of `1 / (t log(t + 1)^1.5)` over all t, rounded up."""


def gamma(number: int) -> float:
    """Tell the part of the budget that a rollout gets.

    Args:
        number: Of the rollout over the life of the store, from 1.

    Returns:
        Above 0; all of them together are at most 1.

    Raises:
        ConfigError: When there is no rollout of that number.

    >>> [round(gamma(number), 4) for number in (1, 2, 5)]
    [0.4248, 0.1065, 0.0204]
    """
    if number < 1:
        raise ConfigError(f"no rollout has the number {number}; expected one from 1 on")
    return 1.0 / (number * math.pow(math.log(number + 1), 1.5) * _SUM_OF_ALL)


def level_at(n_before: int, n_promoted_before: int, lifetime_level: float) -> float:
    """Tell the level of the next rollout.

    Args:
        n_before: Rollouts that were started before it, of all models.
        n_promoted_before: Of these, how many evidence had promoted when it started.
        lifetime_level: Share of the promoted that may be expected to be no better, between 0 and 1.

    Returns:
        The level, above 0: it is promoted when its e-value is at least 1 / level.

    Raises:
        ConfigError: When more were promoted than there were.

    >>> [round(1.0 / level_at(n, 0, 0.05)) for n in (0, 1, 4)], round(1.0 / level_at(4, 2, 0.05))
    ([47, 188, 978], 326)
    """
    if not 0 <= n_promoted_before <= n_before:
        raise ConfigError(f"{n_promoted_before} of {n_before} rollouts were promoted; expected at most all of them")
    return lifetime_level * gamma(n_before + 1) * (n_promoted_before + 1)


def next_level(rollouts: RolloutLookup, lifetime_level: float) -> float:
    """Tell the level of the next rollout of a store.

    Args:
        rollouts: All of the store.
        lifetime_level: As for `level_at`.

    Returns:
        The level. Promotions that a person forced count as rollouts and not as promotions: no evidence earned them, and
        whoever forced some would make every later one easier.
    """
    before = rollouts.list_rollouts()
    return level_at(len(before), n_promoted_by_evidence(before), lifetime_level)
