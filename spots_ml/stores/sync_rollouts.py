"""Carrying rollouts over into another store: those that are over, in their order, with looks, events and units.

What is on its way stays where it runs, and so do those that started after it: numbers are the order of the budget.
"""

from dataclasses import dataclass
from typing import Final, Literal

from spots_ml.errors import RegistryError
from spots_ml.experiments.rollout import Rollout, RolloutStatus
from spots_ml.experiments.rollout_store import RolloutLookup, RolloutStore, WholeRollout

_ALL_LOOKS: Final = 1_000_000


@dataclass(frozen=True)
class CarriedRollout:
    """What happened to one rollout of the source.

    Attributes:
        number: Its number, which is the same in the target.
        outcome: `added` now, `known` from before, or `left` where it is.
        status: Its status in the source.
        detail: Why it was left; empty else.
    """

    number: int
    outcome: Literal["added", "known", "left"]
    status: RolloutStatus
    detail: str = ""


def carry_rollouts(source: RolloutLookup, target: RolloutStore) -> tuple[CarriedRollout, ...]:
    """Keep in the target what rollouts of the source came to; to be called when their versions are there.

    Args:
        source: Where they ran; it is only read.
        target: Where they are to be known.

    Returns:
        What happened to each, by number.

    Raises:
        CallError: When the target cannot be reached; running again goes on from there.
    """
    known = {(one.number, one.salt) for one in target.list_rollouts()}
    return tuple(_carried(source, target, one, known) for one in source.list_rollouts())


def _carried(
    source: RolloutLookup, target: RolloutStore, rollout: Rollout, known: set[tuple[int, str]]
) -> CarriedRollout:
    if (rollout.number, rollout.salt) in known:
        return CarriedRollout(rollout.number, "known", rollout.status)
    whole = WholeRollout(
        rollout,
        source.rollout_events(rollout.number),
        source.rollout_looks(rollout.number, limit=_ALL_LOOKS),
        source.rollout_units(rollout.number),
    )
    try:
        target.carry_rollout(whole)
    except RegistryError as error:
        return CarriedRollout(rollout.number, "left", rollout.status, str(error))
    return CarriedRollout(rollout.number, "added", rollout.status)
