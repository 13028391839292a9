"""Repeating in one registry the changes of status that were made in another: by its own moves, in their order.

Promotions, rollbacks and withdrawals are what a rollback looks back on, so they are repeated one by one, and only on
top of the same beginning: a target that has gone its own way keeps its active version. Versions are archived and
unarchived in any case, each time that was not repeated before.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Final

from spots_ml.errors import RegistryError
from spots_ml.models.declared import ModelType
from spots_ml.registry.in_service import active_version
from spots_ml.registry.records import Action, HistoryEntry
from spots_ml.registry.version_store import VersionLookup, VersionStore

REASON: Final = "carried over from the embedded store"

_PUT_AWAY: Final = ("archived", "unarchived")


@dataclass(frozen=True)
class Standing:
    """How the target stands to the source, for one model.

    Attributes:
        in_line: Whether it has done all that the source has, possibly more.
        detail: Why statuses differ; empty where they do not.
    """

    in_line: bool
    detail: str = ""


class Moves:
    """Repeats changes of status.

    Args:
        source: The registry to follow; it is only read.
        target: The registry that follows.
        clock: Tells the present (UTC).
        actor: Who does this, for the history.
    """

    def __init__(
        self, source: VersionLookup, target: VersionStore, *, clock: Callable[[], datetime], actor: str
    ) -> None:
        self._source = source
        self._target = target
        self._clock = clock
        self._actor = actor

    def repeat(self, model_type: ModelType) -> Standing:
        """Bring the versions of a model to the status they have in the source, as far as the target allows.

        Args:
            model_type: The model.

        Returns:
            How the target stands to the source afterwards.
        """
        entries, there_before = _moves(self._source.history(model_type)), self._target.history(model_type)
        wanted, done = _line(entries), _line(_moves(there_before))
        there = {one.version for one in self._target.list_versions(model_type)}
        missing = sorted({version for _, version in wanted} - there)
        behind = not missing and done == wanted[: len(done)]
        try:
            known = [entry for entry in entries if entry.version in there]
            self._repeat(known, len(done) if behind else len(wanted), _put_away(there_before))
        except RegistryError as error:
            return Standing(in_line=False, detail=str(error))
        if behind:
            return Standing(in_line=True)
        if missing:
            return Standing(in_line=False, detail=f"none was made active, because {', '.join(missing)} is not there")
        if done[: len(wanted)] == wanted:
            return Standing(in_line=True, detail="the target has gone on since")
        return Standing(
            in_line=False, detail="the target went its own way, so its active version stays; change it by hand"
        )

    def _repeat(self, entries: Iterable[HistoryEntry], n_repeated: int, put_away: Counter[str]) -> None:
        """Repeat all but the first changes of what is active, and of each version all but the first to the archive."""
        position = 0
        for entry in entries:
            if entry.action in _PUT_AWAY:
                put_away[entry.version] -= 1
                if put_away[entry.version] < 0:
                    self._put_away(entry)
                continue
            position += 1
            if position > n_repeated:
                self._move(entry)

    def _put_away(self, entry: HistoryEntry) -> None:
        now, by = self._clock(), {"actor": self._actor, "reason": REASON}
        status = self._target.get(entry.model_type, entry.version).status
        if entry.action == "archived" and status in ("staging", "deprecated"):
            self._target.archive(entry.model_type, entry.version, now=now, **by)
        elif entry.action == "unarchived" and status == "archived":
            self._target.unarchive(entry.model_type, entry.version, now=now, **by)

    def _move(self, entry: HistoryEntry) -> None:
        now, by = self._clock(), {"actor": self._actor, "reason": REASON}
        if entry.action == "promoted":
            forced = not carry_blessing(
                self._source, self._target, entry.model_type, entry.version, now=now, actor=self._actor
            )
            self._target.promote(entry.model_type, entry.version, now=now, forced=forced, **by)
            return
        move = self._target.withdraw if entry.action == "withdrawn" else self._target.rollback
        changed = move(entry.model_type, now=now, **by)
        if (changed.version, changed.status) != (entry.version, entry.to_status):
            raise RegistryError(
                f"the target's {changed.version} is {changed.status} after what made {entry.version} {entry.to_status} "
                "here: somebody else changes the target's registry; look at `spots-ml history`, then decide by hand"
            )


def carry_blessing(
    source: VersionLookup, target: VersionStore, model_type: ModelType, version: str, *, now: datetime, actor: str
) -> bool:
    """Keep in the target the blessing that a version has in the source, beside what is active in the target now.

    Args:
        source: The registry to follow.
        target: The registry that follows.
        model_type: The model.
        version: The version, which is there.
        now: The present (UTC).
        actor: Who does this.

    Returns:
        Whether the target's registry needs nobody to step around the blessing.
    """
    active = active_version(target.list_versions(model_type))
    kept = source.newest_blessing(model_type, version, None if active is None else active.version)
    if kept is None or not kept.passed or target.get(model_type, version).status not in ("staging", "deprecated"):
        return False
    target.bless(kept.blessing, now=now, actor=actor)
    return True


def _moves(history: Sequence[HistoryEntry]) -> list[HistoryEntry]:
    """The changes that are repeated, each told by the version that it ends with."""
    ends: tuple[Action, ...] = ("promoted", "restored", "withdrawn", *_PUT_AWAY)
    return [
        entry
        for entry, after in zip_longest(history, history[1:])
        # A rollback that restores a version is told by that one.
        if entry.action in ends or (entry.action == "rolled_back" and (after is None or after.action != "restored"))
    ]


def _line(moves: Iterable[HistoryEntry]) -> list[tuple[str, str]]:
    """What a rollback looks back on."""
    return [(entry.action, entry.version) for entry in moves if entry.action not in _PUT_AWAY]


def _put_away(history: Iterable[HistoryEntry]) -> Counter[str]:
    """How often each version was archived or unarchived."""
    return Counter(entry.version for entry in history if entry.action in _PUT_AWAY)
