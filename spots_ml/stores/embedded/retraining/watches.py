"""What watching versions found, in SQLite: implements `monitoring.causes.watches.WatchLog`, one JSON document a row."""

import json
from datetime import date
from typing import Final

from spots_ml.digests import canonical_json
from spots_ml.models.declared import ModelType
from spots_ml.monitoring.causes.watches import Watch
from spots_ml.stores.embedded.database import Database
from spots_ml.stores.watch_rows import watches

_KEEP: Final = "INSERT OR REPLACE INTO watches (day, model_type, topic, document) VALUES (?, ?, ?, ?)"
_READ: Final = """
SELECT document FROM watches WHERE model_type = ? AND day >= ? AND day < ? ORDER BY day, topic
"""


class EmbeddedWatchLog:
    """What was found, in the embedded store.

    Args:
        database: The embedded store's file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep_watch(self, watch: Watch) -> None:
        """Keep an entry, in place of that of the same day, model and topic; see `WatchLog`."""
        document = canonical_json(watch.model_dump(mode="json")).decode()
        with self._database.writing() as connection:
            connection.execute(_KEEP, (watch.day.isoformat(), watch.model_type, watch.topic, document))

    def read_watches(self, model_type: ModelType, since: date, until: date) -> tuple[Watch, ...]:
        """Read the entries of a model; see there."""
        with self._database.reading() as connection:
            found = connection.execute(_READ, (model_type, since.isoformat(), until.isoformat())).fetchall()
        return watches((json.loads(row["document"]) for row in found), str(self._database.path))
