"""Rows of rollouts in SQLite: read, changed and noted inside a transaction of the caller."""

import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from spots_ml.digests import canonical_json
from spots_ml.errors import RegistryError
from spots_ml.experiments.changes.registry_changes import changes_of_step, overtaken, reason_in_history
from spots_ml.experiments.changes.transitions import RolloutStanding, on_its_way, standing_after, unit_is_there
from spots_ml.experiments.evidence_record import Look, NewLook
from spots_ml.experiments.rollout import Rollout, RolloutChange, RolloutEvent, RolloutStart, rollout_name
from spots_ml.experiments.rollout_store import WholeRollout
from spots_ml.models.declared import ModelType
from spots_ml.registry.lifecycle import VersionChange
from spots_ml.stores.embedded.registry.version_rows import make_change, read_state
from spots_ml.stores.moments import to_text
from spots_ml.stores.rollout_documents import document_of, event_of, look_of, new_look_of, rollout_of, start_of
from spots_ml.stores.rollout_units import unit_documents
from spots_ml.texts import require_line

_ROLLOUTS: Final = """
SELECT *, (
    SELECT cause FROM rollout_events AS event WHERE event.rollout = rollouts.number AND event.action = 'promoted'
) AS promoted_by
FROM rollouts WHERE (:model_type IS NULL OR model_type = :model_type) ORDER BY number
"""
_EVENTS: Final = "SELECT * FROM rollout_events WHERE rollout = ? ORDER BY number"
_LOOKS: Final = (
    "SELECT * FROM (SELECT * FROM rollout_looks WHERE rollout = ? ORDER BY number DESC LIMIT ?) ORDER BY number"
)
_UNITS: Final = "SELECT number, document FROM rollout_units WHERE rollout = ? ORDER BY number"


def read_rollouts(connection: sqlite3.Connection, model_type: ModelType | None) -> tuple[Rollout, ...]:
    """Read rollouts by number.

    Args:
        connection: Of the store.
        model_type: Of which model; None: of all.

    Returns:
        The rollouts.

    Raises:
        ArtifactError: When one is not what it was when it started.
    """
    rows = connection.execute(_ROLLOUTS, {"model_type": model_type})
    return tuple(rollout_of(row, _place(connection)) for row in map(dict, rows))


def read_events(connection: sqlite3.Connection, rollout: int) -> tuple[RolloutEvent, ...]:
    """Read the events of a rollout by number.

    Args:
        connection: Of the store.
        rollout: Its number.

    Returns:
        The events.
    """
    return tuple(event_of(dict(row)) for row in connection.execute(_EVENTS, (rollout,)))


def read_looks(connection: sqlite3.Connection, rollout: int, limit: int) -> tuple[Look, ...]:
    """Read the last looks at a rollout by number.

    Args:
        connection: Of the store.
        rollout: Its number.
        limit: How many at most.

    Returns:
        The looks.

    Raises:
        ArtifactError: When one is not what it was when it was kept.
    """
    rows = connection.execute(_LOOKS, (rollout, limit))
    return tuple(look_of(row, _place(connection)) for row in map(dict, rows))


def read_unit_rows(connection: sqlite3.Connection, rollout: int) -> list[tuple[int, dict[str, Any]]]:
    """Read the units of a rollout by number.

    Args:
        connection: Of the store.
        rollout: Its number.

    Returns:
        Number and document of each.
    """
    found = connection.execute(_UNITS, (rollout,)).fetchall()
    # One text is parsed in a third of the time that as many texts as there are units take.
    documents = json.loads(f"[{','.join(row['document'] for row in found)}]")
    return [(row["number"], document) for row, document in zip(found, documents, strict=True)]


def add_rollout(connection: sqlite3.Connection, start: RolloutStart, at: str) -> int:
    """Write a rollout that starts; its first event is still to come.

    Args:
        connection: Inside a write transaction.
        start: What is fixed.
        at: When, as `to_text` writes it.

    Returns:
        Its number.
    """
    document, digest = document_of(start)
    added = connection.execute(
        "INSERT INTO rollouts (model_type, version, salt, status, stage, started_at, last_event, document, digest)"
        " VALUES (?, ?, ?, 'running', 1, ?, 0, ?, ?)",
        (start.model_type, start.version, start.salt, at, document, digest),
    )
    return int(added.lastrowid or 0)


def add_whole_rollout(connection: sqlite3.Connection, whole: WholeRollout) -> None:
    """Write a rollout of another store that is over, with all that belongs to it.

    Args:
        connection: Inside a write transaction.
        whole: The rollout, under its number.
    """
    rollout = whole.rollout
    n_events = connection.execute("SELECT coalesce(max(number), 0) FROM rollout_events").fetchone()[0]
    document, digest = document_of(start_of(rollout))
    connection.execute(
        "INSERT INTO rollouts"
        " (number, model_type, version, salt, status, stage, started_at, last_event, document, digest)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(rollout.number, rollout.model_type, rollout.version, rollout.salt, rollout.status, rollout.stage),
            *(to_text(rollout.started_at), n_events + len(whole.events), document, digest),
        ),
    )
    looks = {
        one.number: add_look(connection, rollout.number, new_look_of(one), to_text(one.at), one.actor)
        for one in whole.looks
    }
    for number, event in enumerate(whole.events, n_events + 1):
        connection.execute(
            "INSERT INTO rollout_events (number, rollout, at, action, cause, reason, stage, share, actor, look)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(number, rollout.number, to_text(event.at), event.action, event.cause, event.reason),
                *(event.stage, event.share, event.actor, None if event.look is None else looks[event.look]),
            ),
        )
    add_units(connection, rollout.number, 1, unit_documents(whole.units.drop_columns(["number"])))


def add_look(connection: sqlite3.Connection, rollout: int, look: NewLook, at: str, actor: str) -> int:
    """Write a look.

    Args:
        connection: Inside a write transaction.
        rollout: At which rollout.
        look: What was known and decided.
        at: When, as `to_text` writes it.
        actor: Who looked.

    Returns:
        Its number.
    """
    added = connection.execute(
        "INSERT INTO rollout_looks (rollout, at, actor, document, digest) VALUES (?, ?, ?, ?, ?)",
        (rollout, at, require_line(actor, "actor"), *document_of(look)),
    )
    return int(added.lastrowid or 0)


def count_units(connection: sqlite3.Connection, rollout: int) -> int:
    """Count the units of a rollout.

    Args:
        connection: Of the store.
        rollout: Its number.

    Returns:
        How many there are; they are numbered without gaps.
    """
    found: int = connection.execute("SELECT count(*) FROM rollout_units WHERE rollout = ?", (rollout,)).fetchone()[0]
    return found


def add_units(
    connection: sqlite3.Connection, rollout: int, first_number: int, documents: Iterable[dict[str, Any]]
) -> None:
    """Write units in their order.

    Args:
        connection: Inside a write transaction.
        rollout: Of which rollout.
        first_number: Number of the first.
        documents: The units.

    Raises:
        RegistryError: When an agent has a unit in that stage already.
    """
    for number, one in enumerate(documents, first_number):
        added = connection.execute(
            "INSERT INTO rollout_units (rollout, number, stage, agent_id, document) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (rollout, stage, agent_id) DO NOTHING",
            (rollout, number, one["stage"], one["agent_id"], canonical_json(one).decode()),
        )
        if added.rowcount != 1:
            raise RegistryError(unit_is_there(rollout_name(rollout), one["agent_id"], one["stage"]))


def add_event(
    connection: sqlite3.Connection,
    rollout: int,
    change: RolloutChange,
    standing: RolloutStanding,
    at: str,
    actor: str,
    look: int | None = None,
) -> None:
    """Write what happened to a rollout, and where it stands since.

    Args:
        connection: Inside a write transaction.
        rollout: Its number.
        change: What happens, and why.
        standing: Where it stands then.
        at: When, as `to_text` writes it.
        actor: Who did it.
        look: Number of the look that it follows.

    Raises:
        ConfigError: When actor or reason are no line of text.
    """
    who, why = require_line(actor, "actor"), require_line(change.reason, "reason")
    added = connection.execute(
        "INSERT INTO rollout_events (rollout, at, action, cause, reason, stage, share, actor, look)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (rollout, at, change.action, change.cause, why, standing.stage, standing.share, who, look),
    )
    connection.execute(
        "UPDATE rollouts SET status = ?, stage = ?, last_event = ? WHERE number = ?",
        (standing.status, standing.stage, added.lastrowid, rollout),
    )


def step(
    connection: sqlite3.Connection,
    rollout: Rollout,
    change: RolloutChange,
    at: str,
    actor: str,
    look: int | None = None,
) -> None:
    """Change a rollout, and the versions as that says.

    Args:
        connection: Inside a write transaction.
        rollout: As it stands.
        change: What happens, and why.
        at: When, as `to_text` writes it.
        actor: Who does it.
        look: Number of the look that it follows.

    Raises:
        RegistryError: When the change is none that can follow.
        ConfigError: When actor or reason are no line of text.
    """
    model_type, standing = rollout.model_type, standing_after(rollout, change.action)
    forced = change.cause == "by_hand" or read_events(connection, rollout.number)[0].cause == "by_hand"
    state = read_state(connection, model_type)
    for one in changes_of_step(rollout, change.action, state, reason=change.reason, forced=forced):
        make_change(connection, model_type, one, at, actor, reason_in_history(rollout.name, change.reason))
    add_event(connection, rollout.number, change, standing, at, actor, look)


def end_overtaken(
    connection: sqlite3.Connection,
    model_type: ModelType,
    changes: Iterable[VersionChange],
    now: datetime,
    actor: str,
    reason: str,
) -> None:
    """End the rollout of a model whose champion or challenger somebody has changed otherwise.

    Args:
        connection: Inside the transaction that changed them.
        model_type: The model.
        changes: What was changed.
        now: The present, with a time zone.
        actor: Who changed it.
        reason: Why.
    """
    rollout = on_its_way(read_rollouts(connection, model_type), model_type)
    end = None if rollout is None else overtaken(rollout, changes, reason=reason)
    if rollout is not None and end is not None:
        step(connection, rollout, end, to_text(now), actor)


def _place(connection: sqlite3.Connection) -> str:
    file: str = connection.execute("PRAGMA database_list").fetchone()["file"]
    return file
