"""Rows of versions and of their history in SQLite: read, changed and noted inside a transaction of the caller."""

import json
import sqlite3
from functools import partial
from typing import Any

from spots_ml.errors import RegistryError
from spots_ml.models.declared import ModelType
from spots_ml.registry.lifecycle import RegistryState, VersionChange, traffic_of
from spots_ml.registry.records import HistoryEntry, ModelVersion, VersionContent
from spots_ml.stores.embedded.registry.blessings import newest_blessing
from spots_ml.texts import require_line

_VERSIONS = (
    "SELECT * FROM model_versions WHERE (:model_type IS NULL OR model_type = :model_type) ORDER BY registered_order"
)
_HISTORY = (
    "SELECT * FROM version_history WHERE (:model_type IS NULL OR model_type = :model_type)"
    " AND (:version IS NULL OR version = :version) ORDER BY sequence"
)


def read_versions(connection: sqlite3.Connection, model_type: ModelType | None) -> tuple[ModelVersion, ...]:
    """Read versions in the order of their first registration.

    Args:
        connection: Of the store.
        model_type: Of which model; None: of all.

    Returns:
        The versions.
    """
    return tuple(_version(row) for row in connection.execute(_VERSIONS, {"model_type": model_type}))


def find_content(connection: sqlite3.Connection, model_type: ModelType, content_digest: str) -> ModelVersion | None:
    """Look up the version of some content.

    Args:
        connection: Of the store.
        model_type: Of which model.
        content_digest: What identifies the trained model.

    Returns:
        The version; None when it was never registered.
    """
    row = connection.execute(
        "SELECT * FROM model_versions WHERE model_type = ? AND content_digest = ?", (model_type, content_digest)
    ).fetchone()
    return None if row is None else _version(row)


def read_history(
    connection: sqlite3.Connection, model_type: ModelType | None, version: str | None
) -> tuple[HistoryEntry, ...]:
    """Read changes in their order.

    Args:
        connection: Of the store.
        model_type: Of which model; None: of all.
        version: Of which version; None: of all.

    Returns:
        The changes.
    """
    rows = connection.execute(_HISTORY, {"model_type": model_type, "version": version})
    return tuple(HistoryEntry.model_validate(dict(row)) for row in rows)


def read_state(connection: sqlite3.Connection, model_type: ModelType) -> RegistryState:
    """Read what is registered of a model.

    Args:
        connection: Inside a transaction, so that all is of one moment.
        model_type: The model.

    Returns:
        Its versions, their history, and where their blessings are looked up.
    """
    return RegistryState(
        read_versions(connection, model_type),
        read_history(connection, model_type, None),
        partial(newest_blessing, connection, model_type),
    )


def make_change(
    connection: sqlite3.Connection, model_type: ModelType, change: VersionChange, at: str, actor: str, reason: str
) -> None:
    """Make a change and note it.

    Args:
        connection: Inside a write transaction.
        model_type: Of which model.
        change: What changes.
        at: When, as `to_text` writes it.
        actor: Who.
        reason: Why; may be empty.

    Raises:
        RegistryError: When the version is no longer as the change says.
        ConfigError: When actor or reason are no line of text.
    """
    if _apply(connection, model_type, change, at) != 1:
        raise RegistryError(
            f"{model_type} {change.version} is no longer {change.from_status}; nothing was changed, try again"
        )
    note_change(connection, at, model_type, change, actor, reason)


def note_change(
    connection: sqlite3.Connection,
    at: str,
    model_type: ModelType,
    change: VersionChange,
    actor: str,
    reason: str,
) -> None:
    """Write a change into the history.

    Args:
        connection: Inside a write transaction.
        at: When, as `to_text` writes it.
        model_type: Of which model.
        change: What changed.
        actor: Who.
        reason: Why; may be empty.

    Raises:
        ConfigError: When actor or reason are no line of text.
    """
    who, why = require_line(actor, "actor"), require_line(reason, "reason")
    values = (None, None) if change.setting is None else (change.setting.before, change.setting.after)
    connection.execute(
        "INSERT INTO version_history"
        " (at, model_type, version, action, from_status, to_status, actor, reason, from_value, to_value, forced)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(at, model_type, change.version, change.action, change.from_status, change.to_status, who, why),
            *values,
            change.forced,
        ),
    )


def _apply(connection: sqlite3.Connection, model_type: ModelType, change: VersionChange, at: str) -> int:
    """Change a row; tells how many were as they must be."""
    columns: dict[str, str | float] = {}
    if change.setting is not None:
        columns = {change.setting.number: change.setting.after}
    elif change.from_status != change.to_status:
        columns = {"status": change.to_status, "traffic": traffic_of(change.to_status)}
    changes = ", ".join(f"{name} = ?" for name in (*columns, "updated_at"))
    return connection.execute(
        f"UPDATE model_versions SET {changes} WHERE model_type = ? AND version = ? AND status = ?",  # noqa: S608 - names of columns
        (*columns.values(), at, model_type, change.version, change.from_status),
    ).rowcount


def _version(row: sqlite3.Row) -> ModelVersion:
    columns = ModelVersion.model_fields.keys() - VersionContent.model_fields.keys()
    document: dict[str, Any] = json.loads(row["content"])
    return ModelVersion.model_validate(document | {name: row[name] for name in columns})
