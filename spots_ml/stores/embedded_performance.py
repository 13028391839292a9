"""Daily performance in SQLite: implements `monitoring.performance.PerformanceStore`, one JSON document a row."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime

from pydantic import ValidationError

from spots_ml.digests import canonical_json
from spots_ml.errors import ArtifactError, InputError
from spots_ml.monitoring.performance import PerformanceRow
from spots_ml.stores.database import Database, to_text

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
        keys = [(row.day.isoformat(), row.arm, row.origin) for row in rows]
        twice = [key for key, count in Counter(keys).items() if count > 1]
        if twice:
            raise InputError(
                f"the performance of {', '.join(twice[0])} is given more than once; give each arm once a day"
            )
        documents = (canonical_json(row.model_dump(mode="json")).decode() for row in rows)
        with self._database.writing() as connection:
            connection.executemany(
                _SAVE, ((*key, saved_at, document) for key, document in zip(keys, documents, strict=True))
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
        try:
            return tuple(PerformanceRow.model_validate_json(row["document"]) for row in found)
        except ValidationError as error:
            raise ArtifactError(
                f"the store {self._database.path} holds performance that this program cannot read ({error}); "
                "measure these days again"
            ) from error
