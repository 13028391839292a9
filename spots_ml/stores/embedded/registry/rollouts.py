"""Rollouts in SQLite: implements `experiments.rollout_store.RolloutStore`.

Every change holds the write lock from what it reads to what it writes, versions and their history among it.
"""

from datetime import datetime

import pyarrow as pa

from spots_ml.experiments.changes.registry_changes import changes_of_start, reason_in_history
from spots_ml.experiments.changes.transitions import (
    RolloutStanding,
    find_rollout,
    is_carried,
    require_on_the_way,
    require_seen,
    require_startable,
    require_units,
    standing_after,
    started,
)
from spots_ml.experiments.evidence_record import Look, NewLook
from spots_ml.experiments.rollout import Rollout, RolloutChange, RolloutEvent, RolloutStart, rollout_name
from spots_ml.experiments.rollout_store import WholeRollout
from spots_ml.models.declared import ModelType
from spots_ml.registry.lifecycle import find
from spots_ml.stores.embedded.database import Database
from spots_ml.stores.embedded.registry import rollout_rows as rows
from spots_ml.stores.embedded.registry.version_rows import make_change, read_state, read_versions
from spots_ml.stores.moments import to_text
from spots_ml.stores.rollout_units import check_units, unit_documents, units_of


class EmbeddedRolloutStore:
    """Rollouts in the embedded store; see `RolloutStore` for what each method promises.

    Args:
        database: The embedded store's file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def list_rollouts(self, model_type: ModelType | None = None) -> tuple[Rollout, ...]:
        """List rollouts by number."""
        with self._database.reading() as connection:
            return rows.read_rollouts(connection, model_type)

    def rollout_events(self, rollout: int) -> tuple[RolloutEvent, ...]:
        """List what happened to a rollout."""
        with self._database.consistent() as connection:
            return rows.read_events(connection, find_rollout(rows.read_rollouts(connection, None), rollout).number)

    def rollout_looks(self, rollout: int, *, limit: int = 100) -> tuple[Look, ...]:
        """Give the last looks at a rollout."""
        with self._database.consistent() as connection:
            find_rollout(rows.read_rollouts(connection, None), rollout)
            return rows.read_looks(connection, rollout, limit)

    def rollout_units(self, rollout: int) -> pa.Table:
        """Give all units of a rollout."""
        with self._database.consistent() as connection:
            find_rollout(rows.read_rollouts(connection, None), rollout)
            return units_of(rows.read_unit_rows(connection, rollout))

    def start_rollout(
        self, start: RolloutStart, *, now: datetime, actor: str, reason: str, forced: bool = False
    ) -> Rollout:
        """Start a rollout, and give the challenger its weight and the first stage's share."""
        at, change = to_text(now), started(start, reason, forced=forced)
        with self._database.writing() as connection:
            state = read_state(connection, start.model_type)
            require_startable(start, rows.read_rollouts(connection, None), state.versions)
            number = rows.add_rollout(connection, start, at)
            told = reason_in_history(rollout_name(number), reason)
            for one in changes_of_start(start, state, reason=reason, forced=forced):
                make_change(connection, start.model_type, one, at, actor, told)
            rows.add_event(connection, number, change, RolloutStanding("running", 1, start.policy.shares[0]), at, actor)
            return find_rollout(rows.read_rollouts(connection, start.model_type), number)

    def record_look(
        self, rollout: int, *, after: int, units: pa.Table, look: NewLook, now: datetime, actor: str
    ) -> Rollout:
        """Keep a look: its new units, its document, and the change that it decides, with what that does to versions."""
        at = to_text(now)
        with self._database.writing() as connection:
            known = find_rollout(rows.read_rollouts(connection, None), rollout)
            require_seen(known, after)
            require_on_the_way(known)
            check_units(units, known)
            n_before = rows.count_units(connection, rollout)
            require_units(known, n_before + units.num_rows, look.n_units)
            if look.change is not None:
                standing_after(known, look.change.action)
            rows.add_units(connection, rollout, n_before + 1, unit_documents(units))
            number = rows.add_look(connection, rollout, look, at, actor)
            if look.change is not None:
                rows.step(connection, known, look.change, at, actor, number)
            return find_rollout(rows.read_rollouts(connection, None), rollout)

    def carry_rollout(self, whole: WholeRollout) -> Rollout:
        """Keep a rollout of another store that is over, under its number."""
        number = whole.rollout.number
        with self._database.writing() as connection:
            if not is_carried(whole.rollout, rows.read_rollouts(connection, None)):
                versions = read_versions(connection, whole.rollout.model_type)
                find(versions, whole.rollout.model_type, whole.rollout.version)
                rows.add_whole_rollout(connection, whole)
            return find_rollout(rows.read_rollouts(connection, None), number)

    def change_rollout(self, rollout: int, change: RolloutChange, *, after: int, now: datetime, actor: str) -> Rollout:
        """Make a change that follows from no look."""
        at = to_text(now)
        with self._database.writing() as connection:
            known = find_rollout(rows.read_rollouts(connection, None), rollout)
            require_seen(known, after)
            require_on_the_way(known)
            rows.step(connection, known, change, at, actor)
            return find_rollout(rows.read_rollouts(connection, None), rollout)
