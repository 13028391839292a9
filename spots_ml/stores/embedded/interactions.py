"""Interactions in SQLite: idempotent import, exact count of arrived labels, reading up to a fixed point.

Outcomes are kept in a log that only grows. Every entry, the first of an interaction and every correction, has the next
number of one sequence: labels after a watermark are the interactions whose first entry has a larger number, whatever
the clocks of the app said, and what was known at a watermark is told by the entries up to it.
"""

import sqlite3
from collections.abc import Collection, Iterator
from datetime import datetime

import pyarrow as pa

from spots_ml.digests import canonical_json, digest_json
from spots_ml.interactions.judging.intake import ImportReport, Intake
from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.source import InteractionStream
from spots_ml.stores.embedded import interaction_sql as sql
from spots_ml.stores.embedded.database import Database, present, staging, transaction
from spots_ml.stores.embedded.interaction_merging import merge_into_known, merge_repeated
from spots_ml.stores.embedded.interaction_rows import rows_of_interactions
from spots_ml.stores.embedded.quarantine import read_quarantine
from spots_ml.stores.embedded.reading import read_stream
from spots_ml.stores.moments import to_text
from spots_ml.stores.read_bounds import ReadBounds
from spots_ml.stores.watermark import own, parse


class EmbeddedInteractionStore:
    """Interactions in the embedded store.

    Args:
        database: The embedded store's file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def import_interactions(
        self, stream: InteractionStream, *, now: datetime, config: ValidationConfig | None = None
    ) -> ImportReport:
        """Take interactions in; what is known already changes nothing, an outcome that arrived later is added.

        All or nothing: a stream that breaks in the middle, or a killed process, leaves the store as it was. Other
        processes wait only for the last step, in which the whole import is made visible.

        Args:
            stream: Interactions; read in batches.
            now: The present (UTC): nothing may have happened later.
            config: The rules each record is held against; None: the defaults.

        Returns:
            What happened, in numbers that add up.

        Raises:
            InputError: When the stream turns out to be broken while it is read, or the present has no time zone.
            ValidationFailedError: When more of its records are broken than the rules allow.
        """
        imported_at = to_text(now)
        intake = Intake(config or ValidationConfig(), now)
        with self._database.reading() as connection:
            connection.executescript(sql.STAGE)
            _stage(connection, stream.batches, intake)
            with transaction(connection):
                n_updated = merge_into_known(connection)
                n_new = connection.execute(sql.INSERT, {"rows": present(connection).rows, "kind": stream.kind}).rowcount
                n_new_labels = _log_outcomes(connection)
                set_aside = {"rows": present(connection).rows, "source": stream.description, "at": imported_at}
                connection.execute(sql.QUARANTINE, set_aside)
            n_distinct = connection.execute("SELECT count(*) FROM incoming").fetchone()[0]
        return intake.report(n_distinct=n_distinct, n_new=n_new, n_updated=n_updated, n_new_labels=n_new_labels)

    def label_watermark(self) -> str:
        """Name the present point of arrival.

        Returns:
            An opaque text; labels and interactions that arrive from now on lie after it.
        """
        with self._database.consistent() as connection:
            return str(present(connection))

    def own_watermark(self, watermark: str | None) -> str | None:
        """Keep a watermark where it says something.

        Args:
            watermark: What a registered version remembers; None: its data came from no store.

        Returns:
            The watermark; None when it is one of another kind of store.
        """
        return own(watermark, "embedded")

    def count_labels_after(self, watermark: str | None) -> int:
        """Count the labels that arrived after a watermark.

        Args:
            watermark: What `label_watermark` answered earlier; None: count all labels.

        Returns:
            The exact number, from an index. A label that is corrected later is counted once, when it first arrived.

        Raises:
            InputError: When it is no watermark of an embedded store.
        """
        labels = 0 if watermark is None else parse(watermark).labels
        with self._database.reading() as connection:
            count: int = connection.execute(sql.COUNT_LABELS, {"labels": labels}).fetchone()[0]
        return count

    def count_corrections_after(self, watermark: str | None) -> int:
        """Count the interactions labelled at a watermark of which another type or score has been told since.

        Args:
            watermark: What `label_watermark` answered earlier; None: of nothing known, nothing is corrected.

        Returns:
            The exact number, from an index. One that was corrected several times is counted once.

        Raises:
            InputError: When it is no watermark of an embedded store.
        """
        labels = 0 if watermark is None else parse(watermark).labels
        with self._database.reading() as connection:
            count: int = connection.execute(sql.COUNT_CORRECTIONS, {"labels": labels}).fetchone()[0]
        return count

    def read_interactions(
        self,
        up_to: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        agents: Collection[str] | None = None,
    ) -> InteractionStream:
        """Read interactions as they were known at a point of arrival.

        Args:
            up_to: A watermark; None: the present one. Outcomes and interactions that arrived later are not shown.
            since: Start of a period, with a time zone, inclusive. Interactions without a moment are in no period.
            until: Its end, exclusive.
            agents: Only interactions of these.

        Returns:
            The interactions within these bounds in the order of their arrival, with the watermark; possibly none. Its
            kind is that of all imported data, `hybrid` when kinds are mixed.

        Raises:
            EmptyStoreError: When the store holds none at all.
            InputError: When `up_to` is no watermark, a moment has no zone, or the period ends before it starts; while
                reading: when rows are missing.
        """
        bounds = ReadBounds.checked(since, until, agents)
        return read_stream(self._database, parse(self.label_watermark() if up_to is None else up_to), bounds)

    def read_quarantine(self, up_to: str | None = None) -> Iterator[pa.RecordBatch]:
        """Read the broken records that imports have set aside up to a point of arrival, some at a time.

        Args:
            up_to: A watermark; None: the present one. Those of later imports are not shown.

        Returns:
            Rows of `judging.set_aside`, each broken record once, in the order in which they were taken in; `position`
            counts from 0 in each batch. Nothing for none.

        Raises:
            InputError: When `up_to` is no watermark; at the end: when rows are missing.
        """
        return read_quarantine(self._database, parse(self.label_watermark() if up_to is None else up_to))


def _log_outcomes(connection: sqlite3.Connection) -> int:
    """Write down what the interactions in `incoming` say of outcomes beyond the log; count those labelled only now."""
    connection.execute(sql.FIND_TOLD, {"labels": present(connection).labels})
    connection.execute(sql.LOG_TOLD)
    connection.execute(sql.NUMBER_TOLD)
    n_entries, n_labels = connection.execute(sql.COUNT_TOLD).fetchone()
    connection.execute("UPDATE counters SET value = value + ? WHERE name = 'label_sequence'", (n_entries,))
    return int(n_labels)


def _stage(connection: sqlite3.Connection, batches: Iterator[pa.RecordBatch], intake: Intake) -> None:
    """Put a stream into temporary tables, which hold up nobody, each interaction once."""
    with staging(connection):
        for accepted, broken in intake.judged(batches):
            connection.executemany(sql.ADD, rows_of_interactions(accepted))
            connection.executemany(
                sql.ADD_BROKEN,
                (
                    (
                        bytes.fromhex(digest_json([row["record"], row["reasons"]]))[:16],
                        row["position"],
                        canonical_json(row["reasons"]).decode(),
                        row["record"],
                    )
                    for row in broken
                ),
            )
        merge_repeated(connection)
