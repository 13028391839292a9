"""The life of a version: staging -> active -> deprecated -> archived, as pure functions. Stores make them transactions.

- Promotion takes a staging version; the version that was active becomes deprecated.
- Rollback undoes the promotion of the active version: it becomes deprecated, and the version that was active before it
  is active again. Rolling back again goes further back, never forth. A version archived meanwhile is passed over.
- Archiving takes a staging version (rejected) or a deprecated one (retired), never the active one.
- A deprecated version comes back by rollback only.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from spots_ml.errors import RegistryError
from spots_ml.models.declared import ModelType
from spots_ml.registry.records import Action, HistoryEntry, ModelVersion, Status


@dataclass(frozen=True)
class Change:
    """One change of status to be made, and to be written into the history.

    Attributes:
        version: Name of the version that changes.
        action: What the history calls it.
        from_status: The status it must have now.
        to_status: The status it gets.
    """

    version: str
    action: Action
    from_status: Status
    to_status: Status


Decision = Callable[[tuple[ModelVersion, ...], tuple[HistoryEntry, ...]], tuple[Change, ...]]
"""From all versions of one model and its history to the changes to make; raises `RegistryError` for none allowed."""


def promotion(model_type: ModelType, version: str) -> Decision:
    """Decide how a version becomes the active one.

    Args:
        model_type: The model.
        version: Name of a staging version.

    Returns:
        A decision: the active version, if any, is superseded first, then the version is promoted. It raises
        `RegistryError` when the version does not exist or is not in staging.
    """

    def decide(versions: tuple[ModelVersion, ...], history: tuple[HistoryEntry, ...]) -> tuple[Change, ...]:
        found = find(versions, model_type, version)
        if found.status == "active":
            raise RegistryError(f"{model_type} {version} is active already; there is nothing to promote")
        if found.status != "staging":
            raise RegistryError(
                f"{model_type} {version} is {found.status}; only a staging version can be promoted. "
                f"A deprecated version comes back by `spots-ml rollback {model_type}`"
            )
        active = _active(versions)
        superseded = (Change(active.version, "superseded", "active", "deprecated"),) if active else ()
        return (*superseded, Change(version, "promoted", "staging", "active"))

    return decide


def rollback(model_type: ModelType) -> Decision:
    """Decide how to go back to the version that was active before.

    Args:
        model_type: The model.

    Returns:
        A decision: the active version is deprecated, the one before it restored. It raises `RegistryError` when no
        version is active or none was active before it that is not archived.
    """

    def decide(versions: tuple[ModelVersion, ...], history: tuple[HistoryEntry, ...]) -> tuple[Change, ...]:
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
            Change(active.version, "rolled_back", "active", "deprecated"),
            Change(earlier[0], "restored", "deprecated", "active"),
        )

    return decide


def archival(model_type: ModelType, version: str) -> Decision:
    """Decide how a version is put away for good.

    Args:
        model_type: The model.
        version: Name of a staging or deprecated version.

    Returns:
        A decision with the one change. It raises `RegistryError` when the version does not exist, is active or is
        archived already.
    """

    def decide(versions: tuple[ModelVersion, ...], history: tuple[HistoryEntry, ...]) -> tuple[Change, ...]:
        found = find(versions, model_type, version)
        if found.status == "active":
            raise RegistryError(
                f"{model_type} {version} is active and cannot be archived; promote another version or roll back first"
            )
        if found.status == "archived":
            raise RegistryError(f"{model_type} {version} is archived already")
        return (Change(version, "archived", found.status, "archived"),)

    return decide


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
