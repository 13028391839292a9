"""Blessings in SQLite, inside of the registry's transactions; which ones there may be is in `registry.blessings`."""

import sqlite3
from datetime import datetime

from spots_ml.digests import digest_bytes
from spots_ml.models.declared import ModelType
from spots_ml.registry.blessings import Blessing, KeptBlessing, read_blessing, require_size
from spots_ml.stores.moments import to_text
from spots_ml.texts import require_line

_KEEP = (
    "INSERT INTO blessings (after_change, at, actor, model_type, version, champion, digest, document)"
    " VALUES ((SELECT coalesce(max(sequence), 0) FROM version_history), ?, ?, ?, ?, ?, ?, ?)"
    " RETURNING number, after_change, at, actor, digest, document"
)
_NEWEST = (
    "SELECT number, after_change, at, actor, digest, document FROM blessings"
    " WHERE model_type = ? AND version = ? AND champion IS ? ORDER BY number DESC LIMIT 1"
)


def keep_blessing(connection: sqlite3.Connection, blessing: Blessing, *, now: datetime, actor: str) -> KeptBlessing:
    """Add a blessing under the next number.

    Args:
        connection: In a transaction that writes, which has checked that it may be kept.
        blessing: What was found.
        now: The present (UTC).
        actor: Who compared.

    Returns:
        The blessing as it is kept.

    Raises:
        ConfigError: When the actor is not one line of text.
        RegistryError: When it is too large to be kept.
    """
    text = require_size(blessing)
    values = (to_text(now), require_line(actor, "actor"), blessing.model_type, blessing.version, blessing.champion)
    return _kept(connection.execute(_KEEP, (*values, digest_bytes(text.encode()), text)).fetchone())


def newest_blessing(
    connection: sqlite3.Connection, model_type: ModelType, version: str, champion: str | None
) -> KeptBlessing | None:
    """Look up the newest blessing of a version beside a champion.

    Args:
        connection: To the store.
        model_type: The model.
        version: The version.
        champion: The version that was active then; None: none was.

    Returns:
        The blessing; None: there is none.

    Raises:
        ArtifactError: When it is not what was kept.
    """
    row = connection.execute(_NEWEST, (model_type, version, champion)).fetchone()
    return None if row is None else _kept(row)


def _kept(row: sqlite3.Row) -> KeptBlessing:
    told = {name: row[name] for name in ("number", "after_change", "at", "actor")}
    return read_blessing(row["document"], row["digest"], **told)
