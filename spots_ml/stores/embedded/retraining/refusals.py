"""Refusals in SQLite: implements `monitoring.refusals.RefusalLog`, one JSON document a row."""

import json
from datetime import datetime

from spots_ml.digests import canonical_json
from spots_ml.models.declared import ModelType
from spots_ml.monitoring.refusals import KeptRefusal, Refused
from spots_ml.stores.embedded.database import Database
from spots_ml.stores.moments import to_text
from spots_ml.stores.numbered_documents import from_rows

_KEEP = "INSERT INTO refusals (model_type, refused_at, document) VALUES (?, ?, ?)"
_READ = "SELECT number, refused_at, document FROM refusals WHERE model_type = ? ORDER BY number DESC LIMIT ?"


class EmbeddedRefusalLog:
    """Refusals in the embedded store.

    Args:
        database: The embedded store's file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep_refusal(self, refused: Refused, *, now: datetime) -> None:
        """Keep a refusal under the next number.

        Args:
            refused: What was refused.
            now: The present, with a time zone.

        Raises:
            InputError: When the present has no zone.
        """
        row = (refused.model_type, to_text(now), canonical_json(refused.model_dump(mode="json")).decode())
        with self._database.writing() as connection:
            connection.execute(_KEEP, row)

    def last_refusals(self, model_type: ModelType, *, limit: int = 100) -> tuple[KeptRefusal, ...]:
        """Read the last refusals of a model.

        Args:
            model_type: Which model.
            limit: How many at most, 1 to 1,000.

        Returns:
            The newest first, by their numbers; possibly none.

        Raises:
            ArtifactError: When one is not what it was when it was kept.
        """
        with self._database.reading() as connection:
            found = connection.execute(_READ, (model_type, limit)).fetchall()
        given = ("number", "refused_at")
        rows = (({name: row[name] for name in given}, json.loads(row["document"])) for row in found)
        return from_rows(KeptRefusal, rows, moment="refused_at", what="refusal", store=str(self._database.path))
