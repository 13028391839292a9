"""The life of a version, as pure functions from what there is to what changes. Stores make them transactions.

`TRANSITIONS` says which changes there are, and every status has its way back:

- Promotion takes a staging version, or a deprecated one again; the version that was active becomes deprecated.
- Rollback undoes the promotion of the active version: it becomes deprecated, and what answered before it answers again,
  the version that was active then or, where there was none, the formula. Rolling back again goes further back, never
  forth. A version that is no longer deprecated is passed over.
- What answers is taken back by name where nobody looks on: to the version that is named as well, whatever lies between.
- Withdrawal leaves nothing active: the formula answers, until a version is promoted.
- Archiving puts a staging or a deprecated version away, never the active one; unarchiving brings it back to staging, by
  hand or because the same content is registered again.
- What was taken out of service is brought back by hand only with a reason.
- Promotion needs a blessing against what is active then, or a person who steps around it; see `blessings`.

Changes of weight and traffic are in `shares`, what follows from the history of changes in `in_service`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from spots_ml.errors import RegistryError
from spots_ml.models.declared import ModelType
from spots_ml.registry.blessings import Demanded, NewestBlessing, blessing_needed_since, require_blessing
from spots_ml.registry.in_service import active_version, predecessors
from spots_ml.registry.records import Action, HistoryEntry, ModelVersion, Number, Status

TRANSITIONS: Final[tuple[tuple[Action, Status | None, Status], ...]] = (
    ("registered", None, "staging"),
    ("reaffirmed", "staging", "staging"),
    ("reaffirmed", "active", "active"),
    ("reaffirmed", "deprecated", "deprecated"),
    ("promoted", "staging", "active"),
    ("promoted", "deprecated", "active"),
    ("superseded", "active", "deprecated"),
    ("rolled_back", "active", "deprecated"),
    ("restored", "deprecated", "active"),
    ("withdrawn", "active", "deprecated"),
    ("archived", "staging", "archived"),
    ("archived", "deprecated", "archived"),
    ("unarchived", "archived", "staging"),
    ("weight_set", "staging", "staging"),
    ("weight_set", "active", "active"),
    ("traffic_set", "staging", "staging"),
)
"""Every change there is: what the history calls it, the status before (None: there was no version) and after."""

SAME_CONTENT_AGAIN: Final = "the same content was registered again"
"""The reason why registering brings an archived version back to staging."""


@dataclass(frozen=True)
class Setting:
    """A number of a version that changes while its status stays.

    Attributes:
        number: Which.
        before: What it is now.
        after: What it becomes, in [0, 1].
    """

    number: Number
    before: float
    after: float


@dataclass(frozen=True)
class VersionChange:
    """One change of a version to be made, and to be written into the history.

    Attributes:
        version: Name of the version that changes.
        action: What the history calls it.
        from_status: The status it must have now; None: it does not exist yet.
        to_status: The status it gets.
        setting: The number that changes; None: the status does.
        forced: Whether a person steps around the blessing that it would need.
    """

    version: str
    action: Action
    from_status: Status | None
    to_status: Status
    setting: Setting | None = None
    forced: bool = False

    def __post_init__(self) -> None:
        """Insist on the table.

        Raises:
            RegistryError: When it is none of `TRANSITIONS`.
        """
        if (self.action, self.from_status, self.to_status) not in TRANSITIONS:
            raise RegistryError(
                f"{self.version} cannot be {self.action} from {self.from_status} to {self.to_status}; expected one of "
                "the changes that the life of a version has"
            )


@dataclass(frozen=True)
class RegistryState:
    """What is registered of one model, all of one moment.

    Attributes:
        versions: Its versions.
        history: Its entries in their order.
        newest_blessing: Looks a blessing up.
    """

    versions: tuple[ModelVersion, ...]
    history: tuple[HistoryEntry, ...]
    newest_blessing: NewestBlessing


ChangePlan = Callable[[RegistryState], tuple[VersionChange, ...]]
"""From what is registered of one model to the changes to make; raises `RegistryError` for none allowed."""


def promotion(model_type: ModelType, version: str, *, reason: str, forced: bool = False) -> ChangePlan:
    """Decide how a version becomes the active one.

    Args:
        model_type: The model.
        version: Name of a staging or deprecated version.
        reason: Why; a version that was taken out of service needs one, and so does one without a blessing.
        forced: Whether a person steps around the blessing.

    Returns:
        A plan: the active version, if any, is superseded first, then the version is promoted. It raises
        `RegistryError` when the version does not exist, is active or archived, or the reason or its blessing is
        missing.
    """

    def plan(state: RegistryState) -> tuple[VersionChange, ...]:
        found = find(state.versions, model_type, version)
        if found.status == "active":
            raise RegistryError(f"{model_type} {version} is active already; there is nothing to promote")
        if found.status == "archived":
            raise RegistryError(
                f"{model_type} {version} is archived and cannot be promoted; "
                f'`spots-ml unarchive {model_type} {version} --reason "..."` brings it back to staging first'
            )
        demand_blessing(state, model_type, version, to_be="promoted", forced=forced, reason=reason)
        if found.status == "deprecated" and not reason.strip():
            raise RegistryError(
                f"{model_type} {version} was taken out of service; say why it is promoted again: "
                f'`spots-ml promote {model_type} {version} --reason "..."`'
            )
        active = active_version(state.versions)
        superseded = (VersionChange(active.version, "superseded", "active", "deprecated"),) if active else ()
        return (*superseded, VersionChange(version, "promoted", found.status, "active", forced=forced))

    return plan


def demand_blessing(
    state: RegistryState, model_type: ModelType, version: str, *, to_be: Demanded, forced: bool, reason: str
) -> None:
    """Insist that a version has its blessing against what is active now; see `blessings.require_blessing`.

    Args:
        state: What is registered of its model.
        model_type: The model.
        version: The version.
        to_be: What it is to be.
        forced: Whether a person steps around it.
        reason: Why, in the actor's words.

    Raises:
        RegistryError: When it has none.
    """
    active = active_version(state.versions)
    champion = None if active is None else active.version
    require_blessing(
        model_type,
        version,
        champion,
        state.newest_blessing(version, champion),
        since=blessing_needed_since(state.history, version),
        forced=forced,
        reason=reason,
        to_be=to_be,
    )


def rollback(model_type: ModelType) -> ChangePlan:
    """Decide how to go back to what answered before.

    Args:
        model_type: The model.

    Returns:
        A plan: the active version is deprecated, and the one before it restored, if there was one and it is deprecated
        still. It raises `RegistryError` when no version is active.
    """

    def plan(state: RegistryState) -> tuple[VersionChange, ...]:
        active = active_version(state.versions)
        if active is None:
            raise RegistryError(
                f"no version of {model_type} is active, so there is nothing to roll back; promote one instead"
            )
        undone = VersionChange(active.version, "rolled_back", "active", "deprecated")
        earlier = predecessors(state.versions, state.history)
        return (undone, *(VersionChange(name, "restored", "deprecated", "active") for name in earlier[:1]))

    return plan


def taking_back(model_type: ModelType, version: str, *, instead: str | None, reason: str) -> ChangePlan:
    """Decide how one active version, and no other, gives way to an earlier one or to none.

    Args:
        model_type: The model.
        version: Name of the version that is to be the active one still.
        instead: Name of a version that was active before it, whatever lies between; None: none answers afterwards.
        reason: Why.

    Returns:
        A plan: the version is rolled back, then the other one restored. It raises `RegistryError` when another version
        is active by now, the one to answer instead never was before it or is not deprecated, or the reason is missing.
    """

    def plan(state: RegistryState) -> tuple[VersionChange, ...]:
        active = active_version(state.versions)
        if active is None or active.version != version:
            raise RegistryError(
                f"{model_type} {version} is not the active version (that is "
                f"{'none' if active is None else active.version}), so it is not taken back; look again"
            )
        if not reason.strip():
            raise RegistryError(f"say why {model_type} {version} is taken back")
        undone = VersionChange(version, "rolled_back", "active", "deprecated")
        if instead is None:
            return (undone,)
        if instead == version or instead not in predecessors(state.versions, state.history):
            raise RegistryError(
                f"{model_type} {instead} was not active before {version}, or is not deprecated now, so it cannot "
                "answer in its place"
            )
        return (undone, VersionChange(instead, "restored", "deprecated", "active"))

    return plan


def withdrawal(model_type: ModelType) -> ChangePlan:
    """Decide how the active version is taken out of service with nothing in its place.

    Args:
        model_type: The model.

    Returns:
        A plan with the one change. It raises `RegistryError` when no version is active.
    """

    def plan(state: RegistryState) -> tuple[VersionChange, ...]:
        active = active_version(state.versions)
        if active is None:
            raise RegistryError(f"no version of {model_type} is active, so there is nothing to withdraw")
        return (VersionChange(active.version, "withdrawn", "active", "deprecated"),)

    return plan


def archival(model_type: ModelType, version: str) -> ChangePlan:
    """Decide how a version is put away.

    Args:
        model_type: The model.
        version: Name of a staging or deprecated version.

    Returns:
        A plan with the one change. It raises `RegistryError` when the version does not exist, is active or is
        archived already.
    """

    def plan(state: RegistryState) -> tuple[VersionChange, ...]:
        found = find(state.versions, model_type, version)
        if found.status == "active":
            raise RegistryError(
                f"{model_type} {version} is active and cannot be archived; promote another version, or take it out of "
                f"service by `spots-ml rollback {model_type}` or `spots-ml withdraw {model_type}`"
            )
        if found.status == "archived":
            raise RegistryError(f"{model_type} {version} is archived already")
        return (VersionChange(version, "archived", found.status, "archived"),)

    return plan


def unarchival(model_type: ModelType, version: str, *, reason: str) -> ChangePlan:
    """Decide how an archived version comes back.

    Args:
        model_type: The model.
        version: Name of an archived version.
        reason: Why.

    Returns:
        A plan with the one change, to staging. It raises `RegistryError` when the version does not exist or is not
        archived, or the reason is missing.
    """

    def plan(state: RegistryState) -> tuple[VersionChange, ...]:
        found = find(state.versions, model_type, version)
        if found.status != "archived":
            raise RegistryError(f"{model_type} {version} is {found.status}; only an archived version is unarchived")
        if not reason.strip():
            raise RegistryError(
                f"{model_type} {version} was put away; say why it comes back: "
                f'`spots-ml unarchive {model_type} {version} --reason "..."`'
            )
        return (VersionChange(version, "unarchived", "archived", "staging"),)

    return plan


def reaffirmation(known: ModelVersion) -> tuple[tuple[VersionChange, str], ...]:
    """Decide what becomes of a version whose content is registered again.

    Args:
        known: The version.

    Returns:
        The changes, each with its reason: it is reaffirmed, and comes back to staging before where it was archived, so
        that its age and watermark are never those of a version that nothing can make answer.
    """
    if known.status == "archived":
        return (
            (VersionChange(known.version, "unarchived", "archived", "staging"), SAME_CONTENT_AGAIN),
            (VersionChange(known.version, "reaffirmed", "staging", "staging"), ""),
        )
    return ((VersionChange(known.version, "reaffirmed", known.status, known.status), ""),)


def traffic_of(status: Status) -> float:
    """Tell the traffic that a version has when its status changes.

    Args:
        status: The new one.

    Returns:
        1 of the active version, else 0.

    >>> traffic_of("active"), traffic_of("deprecated")
    (1.0, 0.0)
    """
    return 1.0 if status == "active" else 0.0


def find(versions: Iterable[ModelVersion], model_type: ModelType, version: str) -> ModelVersion:
    """Find a version by name.

    Args:
        versions: The versions of one model.
        model_type: The model, for the message.
        version: Name of the version.

    Returns:
        The version.

    Raises:
        RegistryError: When there is none of that name; the message lists those that exist.
    """
    by_name = {one.version: one for one in versions}
    if version not in by_name:
        existing = ", ".join(by_name) or "none yet"
        raise RegistryError(f"there is no {model_type} {version}; registered are: {existing}")
    return by_name[version]
