"""What answers now, since when and by whom, and what answered before: read from the registry and its history.

Which changes are allowed is in `lifecycle`; opening what answers is in `serving`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from spots_ml.errors import ArtifactError
from spots_ml.models.declared import ModelType
from spots_ml.registry.blessings import blessing_needed_since, is_blessed
from spots_ml.registry.records import HistoryEntry, ModelVersion
from spots_ml.registry.version_store import VersionLookup


@dataclass(frozen=True)
class InService:
    """How the versions of one model stand to each other.

    Attributes:
        model_type: The model.
        live: The active version, which answers; None: what stands in for the model does.
        rolling_out: The staging version that a share of the hybrid group is offered; None: there is none.
        since: The change since which it is so; None: nothing was ever active.
        before: Name of the version that was active until then; None: none was.
        back_to: Names of the versions that rolling back leads to, one after the other. After the last, and with none,
            it leads to no version; without a live one there is nothing to roll back.
        candidates: Names of the versions that may be promoted, those in staging first, of these the last registered one
            first.
        way_to_promote: While none is active, the commands that make the first of them active; None without any.
    """

    model_type: ModelType
    live: ModelVersion | None
    rolling_out: ModelVersion | None
    since: HistoryEntry | None
    before: str | None
    back_to: tuple[str, ...]
    candidates: tuple[str, ...]
    way_to_promote: str | None

    @property
    def since_sequence(self) -> int | None:
        """The number of that change in the history, which orders it whatever clocks said."""
        return None if self.since is None else self.since.sequence

    @property
    def since_at(self) -> datetime | None:
        """The moment of that change, by the clock of who made it (UTC)."""
        return None if self.since is None else self.since.at


def in_service(store: VersionLookup, model_type: ModelType) -> InService:
    """Tell what answers for a model.

    Args:
        store: The registry.
        model_type: The model.

    Returns:
        How its versions stand.
    """
    history, versions = store.history(model_type), store.list_versions(model_type)
    since, before = _last_change(history)
    live = active_version(versions)
    promotable = sorted(
        (one for one in versions if one.status in ("staging", "deprecated")),
        key=lambda one: (one.status == "staging", one.last_registered_sequence),
        reverse=True,
    )
    return InService(
        model_type=model_type,
        live=live,
        rolling_out=next((one for one in versions if one.status == "staging" and one.traffic > 0.0), None),
        since=since,
        before=before,
        back_to=tuple(predecessors(versions, history)),
        candidates=tuple(one.version for one in promotable),
        way_to_promote=way_to_promote(store, promotable[0]) if promotable and live is None else None,
    )


def nothing_active(service: InService) -> str:
    """Say that no version of a model is active, and how one becomes it.

    Args:
        service: How the model's versions stand; none of them is active.

    Returns:
        One sentence, with commands to be pasted.
    """
    told = f"no {service.model_type} version is active"
    if service.way_to_promote is None:
        return f"{told}; `make run` registers one that `spots-ml promote` makes active"
    return f"{told}; {service.way_to_promote} makes one active"


def way_to_promote(store: VersionLookup, version: ModelVersion) -> str:
    """Name the commands that make a version active.

    Args:
        store: The registry.
        version: In staging, or deprecated.

    Returns:
        The commands, to be pasted: a new comparison goes first where the newest one does not do or cannot be read; one
        that was in service before needs a reason, which is to be filled in.
    """
    named = f"{version.model_type} {version.version}"
    reason = "" if version.status == "staging" else ' --reason "..."'
    promote = f"`spots-ml promote {named}{reason}`"
    return promote if _is_blessed(store, version) else f"`spots-ml bless {named}`, then {promote}"


def _is_blessed(store: VersionLookup, version: ModelVersion) -> bool:
    active = active_version(store.list_versions(version.model_type))
    champion = None if active is None else active.version
    try:
        newest = store.newest_blessing(version.model_type, version.version, champion)
    except ArtifactError:
        return False
    return is_blessed(newest, since=blessing_needed_since(store.history(version.model_type), version.version))


def active_version(versions: Iterable[ModelVersion]) -> ModelVersion | None:
    """Find the active version.

    Args:
        versions: The versions of one model.

    Returns:
        The version; None while none is active.
    """
    return next((one for one in versions if one.status == "active"), None)


def predecessors(versions: Iterable[ModelVersion], history: Iterable[HistoryEntry]) -> list[str]:
    """Name the versions that rolling back leads to.

    Args:
        versions: The versions of one model.
        history: Its entries in their order.

    Returns:
        Names of versions that were active before the active one, the nearest first, each with what lies before it;
        empty without an active version. What is archived or in staging by now is passed over.
    """
    usable = {one.version for one in versions if one.status in ("deprecated", "active")}
    names = [name for name in reversed(promotions_not_undone(history)) if name in usable]
    return [name for name, _ in groupby(names)][1:]


def promotions_not_undone(history: Iterable[HistoryEntry]) -> list[str]:
    """Replay which versions were active one after the other, up to the one that is active now.

    Promotions are stacked; a rollback takes the active version off the stack, with all that it passed over. Before a
    promotion that found nothing active there was no version: what lies further back is left to promotion.

    Args:
        history: Entries of one model in their order.

    Returns:
        Version names, the active one last; one that was promoted again is named again. Empty while none is active.
    """
    stack: list[str] = []
    answers = False
    for entry in history:
        if entry.action == "promoted":
            stack = [*(stack if answers else ()), entry.version]
            answers = True
        elif entry.action == "restored":
            below = stack[:-1]
            stack = below[: len(below) - below[::-1].index(entry.version)]
            answers = True
        elif entry.action in ("rolled_back", "withdrawn"):
            answers = False
    return stack if answers else []


def _last_change(history: Iterable[HistoryEntry]) -> tuple[HistoryEntry | None, str | None]:
    """The change since which it is as it is, and the version that was active until then."""
    since: HistoryEntry | None = None
    before: str | None = None
    for entry in history:
        if entry.action in ("superseded", "rolled_back", "withdrawn"):
            since, before = entry, entry.version
        elif entry.action == "promoted":
            since, before = entry, before if since is not None and since.action == "superseded" else None
        elif entry.action == "restored":
            since = entry
    return since, before
