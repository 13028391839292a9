"""The life of a version: staging -> active -> deprecated -> archived, as pure functions. Stores make them transactions.

- Promotion takes a staging version; the version that was active becomes deprecated.
- Rollback undoes the promotion of the active version: it becomes deprecated, and the version that was active before it
  is active again. Rolling back again goes further back, never forth. A version archived meanwhile is passed over.
- Archiving takes a staging version (rejected) or a deprecated one (retired), never the active one.
- A deprecated version comes back by rollback only.
- The weight of a staging or active version may be changed at any time. Traffic is given to one staging version at a
  time; the active version takes the rest, and a change of status ends a rollout.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from spots_ml.errors import RegistryError
from spots_ml.models.declared import ModelType
from spots_ml.registry.records import Action, HistoryEntry, ModelVersion, Number, Status


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
    """

    version: str
    action: Action
    from_status: Status | None
    to_status: Status
    setting: Setting | None = None


ChangePlan = Callable[[tuple[ModelVersion, ...], tuple[HistoryEntry, ...]], tuple[VersionChange, ...]]
"""From all versions of one model and its history to the changes to make; raises `RegistryError` for none allowed."""


def promotion(model_type: ModelType, version: str) -> ChangePlan:
    """Decide how a version becomes the active one.

    Args:
        model_type: The model.
        version: Name of a staging version.

    Returns:
        A plan: the active version, if any, is superseded first, then the version is promoted. It raises
        `RegistryError` when the version does not exist or is not in staging.
    """

    def plan(versions: tuple[ModelVersion, ...], history: tuple[HistoryEntry, ...]) -> tuple[VersionChange, ...]:
        found = find(versions, model_type, version)
        if found.status == "active":
            raise RegistryError(f"{model_type} {version} is active already; there is nothing to promote")
        if found.status != "staging":
            raise RegistryError(
                f"{model_type} {version} is {found.status}; only a staging version can be promoted. "
                f"A deprecated version comes back by `spots-ml rollback {model_type}`"
            )
        active = _active(versions)
        superseded = (VersionChange(active.version, "superseded", "active", "deprecated"),) if active else ()
        return (*superseded, VersionChange(version, "promoted", "staging", "active"))

    return plan


def rollback(model_type: ModelType) -> ChangePlan:
    """Decide how to go back to the version that was active before.

    Args:
        model_type: The model.

    Returns:
        A plan: the active version is deprecated, the one before it restored. It raises `RegistryError` when no
        version is active or none was active before it that is not archived.
    """

    def plan(versions: tuple[ModelVersion, ...], history: tuple[HistoryEntry, ...]) -> tuple[VersionChange, ...]:
        active = _active(versions)
        if active is None:
            raise RegistryError(
                f"no version of {model_type} is active, so there is nothing to roll back; promote one instead"
            )
        status = {one.version: one.status for one in versions}
        earlier = [name for name in predecessors(history) if status[name] == "deprecated"]
        if not earlier:
            raise RegistryError(
                f"before {model_type} {active.version} no version was active that could take over; "
                "promote a staging version instead"
            )
        return (
            VersionChange(active.version, "rolled_back", "active", "deprecated"),
            VersionChange(earlier[0], "restored", "deprecated", "active"),
        )

    return plan


def archival(model_type: ModelType, version: str) -> ChangePlan:
    """Decide how a version is put away for good.

    Args:
        model_type: The model.
        version: Name of a staging or deprecated version.

    Returns:
        A plan with the one change. It raises `RegistryError` when the version does not exist, is active or is
        archived already.
    """

    def plan(versions: tuple[ModelVersion, ...], history: tuple[HistoryEntry, ...]) -> tuple[VersionChange, ...]:
        found = find(versions, model_type, version)
        if found.status == "active":
            raise RegistryError(
                f"{model_type} {version} is active and cannot be archived; promote another version or roll back first"
            )
        if found.status == "archived":
            raise RegistryError(f"{model_type} {version} is archived already")
        return (VersionChange(version, "archived", found.status, "archived"),)

    return plan


def weighing(model_type: ModelType, version: str, weight: float) -> ChangePlan:
    """Decide how the weight of a version changes.

    Args:
        model_type: The model.
        version: Name of a staging or active version.
        weight: Share of the neural score in the hybrid score, in [0, 1].

    Returns:
        A plan with the one change. It raises `RegistryError` when the weight is no share, or the version does not exist
        or is neither in staging nor active.
    """

    def plan(versions: tuple[ModelVersion, ...], history: tuple[HistoryEntry, ...]) -> tuple[VersionChange, ...]:
        require_share("weight", weight)
        found = find(versions, model_type, version)
        if found.status not in ("staging", "active"):
            raise RegistryError(
                f"{model_type} {version} is {found.status}; only a staging or an active version is given a weight"
            )
        setting = Setting("weight", found.weight, weight)
        return (VersionChange(version, "weight_set", found.status, found.status, setting),)

    return plan


def rollout(model_type: ModelType, version: str, traffic: float) -> ChangePlan:
    """Decide how a version is offered to a share of the agents.

    Args:
        model_type: The model.
        version: Name of a staging version.
        traffic: Share of the hybrid group that is offered it before the active one, in [0, 1]; 0 takes it back.

    Returns:
        A plan with the one change. It raises `RegistryError` when the traffic is no share, the version does not exist
        or is not in staging, or another one is being rolled out.
    """

    def plan(versions: tuple[ModelVersion, ...], history: tuple[HistoryEntry, ...]) -> tuple[VersionChange, ...]:
        require_share("traffic", traffic)
        found = find(versions, model_type, version)
        if found.status != "staging":
            raise RegistryError(f"{model_type} {version} is {found.status}; only a staging version is rolled out")
        others = [one.version for one in versions if one.status == "staging" and one.traffic > 0.0]
        if traffic > 0.0 and any(other != version for other in others):
            raise RegistryError(
                f"{model_type} {others[0]} is being rolled out; promote it, archive it or take its traffic back first"
            )
        setting = Setting("traffic", found.traffic, traffic)
        return (VersionChange(version, "traffic_set", "staging", "staging", setting),)

    return plan


def require_share(number: Number, value: float) -> None:
    """Insist that a weight or a traffic is a share.

    Args:
        number: Which of the two.
        value: What it is to become.

    Raises:
        RegistryError: When it is not in [0, 1].
    """
    if not 0.0 <= value <= 1.0:
        raise RegistryError(f"the {number} {value:g} is no share; expected a number in [0, 1]")


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


def predecessors(history: Iterable[HistoryEntry]) -> list[str]:
    """Replay which versions were active before the one that is active now.

    Promotions are stacked; a rollback takes the active version off the stack, with all that it passed over.

    Args:
        history: Entries of one model in their order.

    Returns:
        Version names, the nearest predecessor first; without the active version itself. Empty without promotions.
    """
    stack: list[str] = []
    for entry in history:
        if entry.action == "promoted":
            stack.append(entry.version)
        elif entry.action == "restored":
            del stack[stack.index(entry.version) + 1 :]
    return stack[-2::-1]


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


def _active(versions: Iterable[ModelVersion]) -> ModelVersion | None:
    return next((one for one in versions if one.status == "active"), None)
