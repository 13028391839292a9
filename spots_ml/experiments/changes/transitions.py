"""The rollout as a state machine: which change may follow which, and where a rollout stands then.

What a change does to versions is in `registry_changes`; which change evidence asks for is in `ramp`.
"""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from spots_ml.errors import RegistryError
from spots_ml.experiments.budget import level_at
from spots_ml.experiments.rollout import (
    ON_THE_WAY,
    Rollout,
    RolloutAction,
    RolloutChange,
    RolloutStart,
    RolloutStatus,
    n_promoted_by_evidence,
    rollout_name,
)
from spots_ml.experiments.rollout_store import RolloutChangedError
from spots_ml.models.declared import ModelType
from spots_ml.registry.in_service import active_version
from spots_ml.registry.lifecycle import find
from spots_ml.registry.records import ModelVersion

ROLLOUT_TRANSITIONS: Final[tuple[tuple[RolloutAction, RolloutStatus | None, RolloutStatus], ...]] = (
    ("started", None, "running"),
    ("widened", "running", "running"),
    ("paused", "running", "paused"),
    ("resumed", "paused", "running"),
    ("promoted", "running", "promoted"),
    ("rolled_back", "running", "rolled_back"),
    ("rolled_back", "paused", "rolled_back"),
    ("ended", "running", "ended"),
    ("ended", "paused", "ended"),
)
"""Every change there is: its name, the status before (None: there was no rollout) and after."""

_SAME_LEVEL: Final = 1e-9
"""How far two computations of a level may differ, as a share of it."""


@dataclass(frozen=True)
class RolloutStanding:
    """Where a rollout stands after a change.

    Attributes:
        status: Its status.
        stage: Its stage, from 1.
        share: Share of the hybrid group that is treated since.
    """

    status: RolloutStatus
    stage: int
    share: float


def standing_after(rollout: Rollout, action: RolloutAction) -> RolloutStanding:
    """Decide where a change leads.

    Args:
        rollout: As it stands.
        action: What happens to it.

    Returns:
        Where it stands then.

    Raises:
        RegistryError: When the change is none that can follow.
    """
    ways = {(name, before): after for name, before, after in ROLLOUT_TRANSITIONS}
    status = ways.get((action, rollout.status))
    if status is None:
        told = f"{rollout.name} is {rollout.status} and cannot be {action}"
        if rollout.status == "paused" and action in ("widened", "promoted"):
            told += f'; `spots-ml rollout resume {rollout.model_type} --reason "..."` lets it go on first'
        raise RegistryError(told)
    stage = rollout.stage + 1 if action == "widened" else rollout.stage
    if stage > len(rollout.policy.shares):
        raise RegistryError(
            f"{rollout.name} is in its last stage and cannot be widened; promote it, or let it go on as it is"
        )
    share = rollout.policy.shares[stage - 1] if status in ON_THE_WAY else 0.0
    return RolloutStanding(status, stage, share)


def started(start: RolloutStart, reason: str, *, forced: bool) -> RolloutChange:
    """Say that a rollout starts.

    Args:
        start: What starts.
        reason: Why, in the words of who starts it.
        forced: Whether a person steps around the blessing.

    Returns:
        Its first change.

    Raises:
        RegistryError: When no reason is given.
    """
    if not reason.strip():
        raise RegistryError(f"say why {start.model_type} {start.version} is rolled out; a start has a reason")
    return RolloutChange(action="started", cause="by_hand" if forced else "evidence", reason=reason)


def require_startable(start: RolloutStart, rollouts: Collection[Rollout], versions: Collection[ModelVersion]) -> None:
    """Insist that a rollout may start where things stand as they do.

    Args:
        start: What is to start.
        rollouts: All of the store, of every model.
        versions: All of the model.

    Raises:
        RolloutChangedError: When the rollouts before it are not those that it names, or another version is active.
        RegistryError: When its level is not what the error budget gives it, one of its model is on its way, the version
            cannot be rolled out, or the salt was used before.
    """
    n_promoted = n_promoted_by_evidence(rollouts)
    if (len(rollouts), n_promoted) != (start.n_before, start.n_promoted_before):
        raise RolloutChangedError(
            f"there were {len(rollouts)} rollouts before, {n_promoted} of them promoted by evidence, and the "
            f"start names {start.n_before} and {start.n_promoted_before}; nothing was changed, look again"
        )
    level = level_at(start.n_before, start.n_promoted_before, start.policy.lifetime_level)
    if not math.isclose(start.level, level, rel_tol=_SAME_LEVEL):
        raise RegistryError(
            f"the level of {start.model_type} {start.version} is not its part of the error budget; expected what "
            "`budget.level_at` says of the rollouts before it"
        )
    busy = on_its_way(rollouts, start.model_type)
    if busy is not None:
        raise RegistryError(
            f"{busy.name} of {start.model_type} {busy.version} is {busy.status}, and a model has one rollout at a "
            "time; wait until it is over, or abort it"
        )
    used = next((one for one in rollouts if one.salt == start.salt), None)
    if used is not None:
        raise RegistryError(f"the salt of {used.name} was used before; every rollout has a new one: draw again")
    found, active = find(versions, start.model_type, start.version), active_version(versions)
    champion = None if active is None else active.version
    if champion != start.champion:
        raise RolloutChangedError(
            f"of {start.model_type}, {champion or 'no version'} is active, and the start names "
            f"{start.champion or 'no version'}; nothing was changed, look again"
        )
    if start.kind == "version" and found.status != "staging":
        raise RegistryError(
            f"{start.model_type} {start.version} is {found.status}; only a staging version is rolled out"
        )
    if start.kind == "weight" and found.status != "active":
        raise RegistryError(
            f"{start.model_type} {start.version} is {found.status}; only the active version is tried at another weight"
        )
    if start.kind == "weight" and found.weight == start.weight:
        raise RegistryError(f"{start.model_type} {start.version} has that weight already; there is nothing to try")


def is_carried(rollout: Rollout, rollouts: Collection[Rollout]) -> bool:
    """Tell whether a rollout of another store is here already, or insist that it may be kept under its number.

    Args:
        rollout: Of the other store.
        rollouts: All of this one, of every model.

    Returns:
        True when it was carried over before.

    Raises:
        RegistryError: When it is on its way there, it is not the next one here, or its salt was used here.
    """
    there = next((one for one in rollouts if one.number == rollout.number), None)
    if there is not None and there.salt == rollout.salt:
        return True
    if rollout.status in ON_THE_WAY:
        raise RegistryError(f"{rollout.name} is {rollout.status}; it is carried over when it is over")
    if rollout.number != len(rollouts) + 1:
        raise RegistryError(
            f"{rollout.name} is not the next one: {len(rollouts)} rollouts are there; what is before it is carried "
            "over first, and nothing where others have started since"
        )
    used = next((one for one in rollouts if one.salt == rollout.salt), None)
    if used is not None:
        raise RegistryError(f"the salt of {rollout.name} is that of {used.name} there")
    return False


def require_seen(rollout: Rollout, after: int) -> None:
    """Insist that who changes a rollout has seen its last event.

    Args:
        rollout: As it stands.
        after: Number of the event that was the last one for who changes it.

    Raises:
        RolloutChangedError: When it has another last event.
    """
    if rollout.last_event != after:
        raise RolloutChangedError(
            f"the last event of {rollout.name} is number {rollout.last_event}, and number {after} was seen: somebody "
            "else was first; nothing was changed, look again"
        )


def require_units(rollout: Rollout, n_there: int, n_named: int) -> None:
    """Insist that a look has seen the units that there are.

    Args:
        rollout: As it stands.
        n_there: How many units there are with those that the look brings.
        n_named: How many the look has seen.

    Raises:
        RolloutChangedError: When these are others.
    """
    if n_there != n_named:
        raise RolloutChangedError(
            f"{rollout.name} has {n_there} units with the new ones, and the look has seen {n_named}: somebody else was "
            "first; nothing was changed, look again"
        )


def unit_is_there(rollout: str, agent_id: str, stage: int) -> str:
    """Say that an agent has its unit of a stage already.

    Args:
        rollout: Name of the rollout.
        agent_id: The agent.
        stage: The stage.

    Returns:
        One sentence.
    """
    return f"{rollout} has a unit of the agent {agent_id} in stage {stage} already; units are kept once and stay"


def require_on_the_way(rollout: Rollout) -> None:
    """Insist that a rollout is not over.

    Args:
        rollout: As it stands.

    Raises:
        RegistryError: When it is over.
    """
    if rollout.status not in ON_THE_WAY:
        raise RegistryError(f"{rollout.name} is {rollout.status}; nothing changes it any more")


def on_its_way(rollouts: Iterable[Rollout], model_type: ModelType) -> Rollout | None:
    """Find the rollout of a model that is not over.

    Args:
        rollouts: Of any models.
        model_type: The model.

    Returns:
        The rollout; None while there is none.
    """
    return next((one for one in rollouts if one.model_type == model_type and one.status in ON_THE_WAY), None)


def find_rollout(rollouts: Iterable[Rollout], number: int) -> Rollout:
    """Find a rollout by its number.

    Args:
        rollouts: All of the store.
        number: Its number.

    Returns:
        The rollout.

    Raises:
        RegistryError: When there is none of that number.
    """
    by_number = {one.number: one for one in rollouts}
    if number not in by_number:
        raise RegistryError(f"there is no {rollout_name(number)}; there are {len(by_number)} rollouts")
    return by_number[number]
