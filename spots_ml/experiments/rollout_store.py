"""What rollouts need from a store, in their own words. Implementations live in `spots_ml.stores`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from spots_ml.errors import RegistryError
from spots_ml.experiments.evidence_record import Look, NewLook
from spots_ml.experiments.rollout import Rollout, RolloutChange, RolloutEvent, RolloutStart
from spots_ml.models.declared import ModelType


class RolloutChangedError(RegistryError):
    """Somebody else changed the rollout meanwhile; nothing was written."""


@dataclass(frozen=True)
class WholeRollout:
    """All that a store has of one rollout.

    Attributes:
        rollout: As it stands.
        events: What happened to it, by number.
        looks: All looks at it, by number.
        units: All of its units, schema `units.UNITS`.
    """

    rollout: Rollout
    events: tuple[RolloutEvent, ...]
    looks: tuple[Look, ...]
    units: pa.Table


class RolloutLookup(Protocol):
    """Tells of rollouts."""

    def list_rollouts(self, model_type: ModelType | None = None) -> tuple[Rollout, ...]:
        """List rollouts by number, of one model or of all; at most one per model is on its way."""
        ...

    def rollout_events(self, rollout: int) -> tuple[RolloutEvent, ...]:
        """List what happened to a rollout, by number.

        Raises:
            RegistryError: When there is none of that number.
        """
        ...

    def rollout_looks(self, rollout: int, *, limit: int = 100) -> tuple[Look, ...]:
        """Give the last looks at a rollout, by number.

        Raises:
            ArtifactError: When one is not what it was when it was kept.
        """
        ...

    def rollout_units(self, rollout: int) -> pa.Table:
        """Give all units of a rollout, by number; their schema is `units.UNITS`."""
        ...


class RolloutStore(RolloutLookup, Protocol):
    """Keeps rollouts. Every change is one transaction with the registry's changes that follow from it."""

    def start_rollout(
        self, start: RolloutStart, *, now: datetime, actor: str, reason: str, forced: bool = False
    ) -> Rollout:
        """Start a rollout, and give the challenger its weight and the first stage's share.

        Args:
            start: What is fixed.
            now: The present, with a time zone.
            actor: Who starts it.
            reason: Why.
            forced: Whether a person steps around the blessing, for this rollout up to its promotion.

        Returns:
            The rollout as it stands.

        Raises:
            RolloutChangedError: When the rollouts before it are not those that it names, or another version is active.
            RegistryError: When one of its model is on its way, the version cannot be rolled out, it has no blessing, or
                the salt was used before.
        """
        ...

    def record_look(
        self, rollout: int, *, after: int, units: pa.Table, look: NewLook, now: datetime, actor: str
    ) -> Rollout:
        """Keep a look: its new units, its document, and the change that it decides, with what that does to versions.

        Args:
            rollout: Its number.
            after: Number of its last event that the decision has seen.
            units: New ones in their order, schema `units.NEW_UNITS`; each (stage, agent) once in the life of a rollout.
            look: What was known and decided.
            now: The present, with a time zone.
            actor: Who looked.

        Returns:
            The rollout as it stands then.

        Raises:
            RolloutChangedError: When it has another last event, or other units by now.
            RegistryError: When it is over, or the change is none that can follow.
        """
        ...

    def carry_rollout(self, whole: WholeRollout) -> Rollout:
        """Keep a rollout of another store that is over, under its number; events and looks get numbers of this store.

        Versions are not changed. One that was carried over before stays as it is.

        Raises:
            RegistryError: When it is on its way, it is not the next one here, or its salt or version says no; nothing
                is kept.
        """
        ...

    def change_rollout(self, rollout: int, change: RolloutChange, *, after: int, now: datetime, actor: str) -> Rollout:
        """Make a change that follows from no look: a person's, or of what a look cannot see.

        One by hand needs no blessing, and its reason is in the history.

        Raises:
            RolloutChangedError: When it has another last event by now.
            RegistryError: When it is over, or the change is none that can follow.
        """
        ...
