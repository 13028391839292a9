"""What the changes of a rollout do to versions, and what the changes of versions do to a rollout; pure plans.

A challenger gets its weight and its traffic when the rollout starts, more traffic with every stage, and none when it is
over. A rollout of another weight gives the active version that weight in the end, and changes nothing before.
"""

from collections.abc import Iterable
from typing import Final

from spots_ml.errors import RegistryError
from spots_ml.experiments.changes.transitions import standing_after
from spots_ml.experiments.rollout import Rollout, RolloutAction, RolloutChange, RolloutStart
from spots_ml.models.declared import ModelType
from spots_ml.registry.lifecycle import RegistryState, VersionChange, find, promotion
from spots_ml.registry.records import Action
from spots_ml.registry.shares import offering, weighing
from spots_ml.texts import MAX_LINE

OVERTAKING: Final[frozenset[Action]] = frozenset({"promoted", "rolled_back", "withdrawn"})
"""What changes the champion."""


def changes_of_start(
    start: RolloutStart, state: RegistryState, *, reason: str, forced: bool
) -> tuple[VersionChange, ...]:
    """Decide what a start changes.

    Args:
        start: What starts.
        state: What is registered of its model.
        reason: Why.
        forced: Whether a person steps around the blessing.

    Returns:
        The changes, in their order: what another version has of traffic is taken back first.

    Raises:
        RegistryError: When the version cannot be given weight or traffic, for want of a blessing among others.
    """
    if start.kind == "weight":
        return ()
    left = tuple(
        change
        for one in state.versions
        if one.status == "staging" and one.traffic > 0.0 and one.version != start.version
        for change in offering(start.model_type, one.version, 0.0)(state)
    )
    weight = find(state.versions, start.model_type, start.version).weight
    weighed = () if weight == start.weight else weighing(start.model_type, start.version, start.weight)(state)
    offered = offering(start.model_type, start.version, start.policy.shares[0], reason=reason, forced=forced)
    return (*left, *weighed, *offered(state))


def changes_of_step(
    rollout: Rollout, action: RolloutAction, state: RegistryState, *, reason: str, forced: bool
) -> tuple[VersionChange, ...]:
    """Decide what a change of a rollout changes.

    Args:
        rollout: As it stands before.
        action: What happens to it.
        state: What is registered of its model.
        reason: Why.
        forced: Whether a person has stepped around the blessing, now or when it started.

    Returns:
        The changes, in their order.

    Raises:
        RegistryError: When the change is none that can follow, or the version cannot follow it, for want of a blessing
            among others.
    """
    share = standing_after(rollout, action).share
    if rollout.kind == "weight":
        if action != "promoted":
            return ()
        return weighing(rollout.model_type, rollout.version, rollout.weight)(state)
    if action == "promoted":
        return promotion(rollout.model_type, rollout.version, reason=reason, forced=forced)(state)
    # Whoever has promoted or archived the challenger has taken its traffic back already.
    if share == rollout.share or find(state.versions, rollout.model_type, rollout.version).status != "staging":
        return ()
    return offering(rollout.model_type, rollout.version, share, reason=reason, forced=forced)(state)


def overtaken(rollout: Rollout, changes: Iterable[VersionChange], *, reason: str) -> RolloutChange | None:
    """Tell whether somebody's change of versions ends a rollout.

    Args:
        rollout: One that is on its way.
        changes: What was changed of the versions of its model, not by the rollout itself.
        reason: Why.

    Returns:
        Its end; None where champion and challenger are what they were.
    """
    for one in changes:
        if one.action in OVERTAKING or (one.action == "archived" and one.version == rollout.version):
            told = f"{one.version} was {one.action}" + (f": {reason}" if reason.strip() else "")
            return RolloutChange(action="ended", cause="champion_changed", reason=told[:MAX_LINE])
    return None


def reason_in_history(rollout: str, reason: str) -> str:
    """Say in the history of versions why a rollout changed one.

    Args:
        rollout: Its name.
        reason: Why, one line.

    Returns:
        One line that fits.

    >>> reason_in_history("rollout-3", "e = 51")
    'rollout-3: e = 51'
    """
    return f"{rollout}: {reason}"[:MAX_LINE]


def require_weight_is_free(rollout: Rollout | None, model_type: ModelType, version: str) -> None:
    """Insist that no hand changes the weight of what a rollout compares.

    Args:
        rollout: Of the model, on its way; None: there is none.
        model_type: The model.
        version: Whose weight is to change.

    Raises:
        RegistryError: When the version is its challenger or its champion.
    """
    if rollout is not None and version in (rollout.version, rollout.champion):
        raise RegistryError(
            f"{rollout.name} compares {model_type} {version} at the weight it has; wait until it is over, or abort it"
        )
