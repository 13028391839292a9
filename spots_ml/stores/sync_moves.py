"""Repeating in one registry the changes of status that were made in another: by its own moves, in their order.

Promotions and rollbacks are what a rollback looks back on, so they are repeated one by one, and only on top of the
same beginning: a target that has gone its own way keeps its active version. Archived versions are archived in any case.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from spots_ml.errors import RegistryError
from spots_ml.models.declared import ModelType
from spots_ml.registry.records import HistoryEntry
from spots_ml.registry.version_store import VersionLookup, VersionStore

REASON: Final = "carried over from the embedded store"


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
        entries = [
            entry for entry in self._source.history(model_type) if entry.action in ("promoted", "restored", "archived")
        ]
        wanted, done = _line(entries), _line(self._target.history(model_type))
        there = {one.version for one in self._target.list_versions(model_type)}
        missing = sorted({version for _, version in wanted} - there)
        behind = not missing and done == wanted[: len(done)]
        try:
            self._repeat([entry for entry in entries if entry.version in there], len(done) if behind else len(wanted))
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

    def _repeat(self, entries: Iterable[HistoryEntry], n_repeated: int) -> None:
        """Repeat all but the first promotions and rollbacks, and archive what was archived meanwhile."""
        position = 0
        for entry in entries:
            if entry.action == "archived":
                self._archive(entry)
                continue
            position += 1
            if position > n_repeated:
                self._move(entry)

    def _archive(self, entry: HistoryEntry) -> None:
        if self._target.get(entry.model_type, entry.version).status in ("staging", "deprecated"):
            self._target.archive(entry.model_type, entry.version, now=self._clock(), actor=self._actor, reason=REASON)

    def _move(self, entry: HistoryEntry) -> None:
        if entry.action == "promoted":
            self._target.promote(entry.model_type, entry.version, now=self._clock(), actor=self._actor, reason=REASON)
            return
        restored = self._target.rollback(entry.model_type, now=self._clock(), actor=self._actor, reason=REASON)
        if restored.version != entry.version:
            raise RegistryError(
                f"the rollback restored {restored.version} and not {entry.version}: somebody else changes the target's "
                "registry; look at `spots-ml history`, then decide by hand"
            )


def _line(history: Iterable[HistoryEntry]) -> list[tuple[str, str]]:
    """What a rollback looks back on."""
    return [(entry.action, entry.version) for entry in history if entry.action in ("promoted", "restored")]
