"""Daily performance in SQLite: implements `monitoring.performance.PerformanceStore`, one JSON document a row."""

from collections.abc import Sequence
from datetime import date, datetime

from spots_ml.digests import canonical_json
from spots_ml.monitoring.performance import PerformanceRow
from spots_ml.stores.embedded.database import Database
from spots_ml.stores.moments import to_text
from spots_ml.stores.performance_rows import from_documents, to_documents

_SAVE = "INSERT OR REPLACE INTO performance (day, arm, origin, saved_at, document) VALUES (?, ?, ?, ?, ?)"
_READ = "SELECT document FROM performance WHERE day >= ? AND day < ? ORDER BY day, origin, arm"


class EmbeddedPerformanceStore:
    """Performance rows in the embedded store.

    Args:
        database: The embedded store's file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def save_performance(self, rows: Sequence[PerformanceRow], *, now: datetime) -> None:
        """Keep rows, in place of those of the same day, arm and origin; all of them or none.

        Args:
            rows: At most one for each day, arm and origin; others that are kept already stay.
            now: The present, with a time zone.

        Raises:
            InputError: When two rows have the same day, arm and origin; nothing is kept then.
        """
        saved_at = to_text(now)
        documents = to_documents(rows)
        with self._database.writing() as connection:
            connection.executemany(
                _SAVE,
                ((*key, saved_at, canonical_json(document).decode()) for key, document in documents.items()),
            )

    def read_performance(self, since: date, until: date) -> tuple[PerformanceRow, ...]:
        """Read the rows of some days.

        Args:
            since: First day.
            until: The day after the last one.

        Returns:
            The rows by day, origin and arm; possibly none.

        Raises:
            ArtifactError: When a row is not what it was when it was kept.
        """
        with self._database.reading() as connection:
            found = connection.execute(_READ, (since.isoformat(), until.isoformat())).fetchall()
        return from_documents((row["document"] for row in found), str(self._database.path))
