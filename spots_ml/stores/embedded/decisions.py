"""The decision log in SQLite: implements `scoring.decision_log.log.DecisionLog`.

The row of a decision holds the identity of the interaction it belongs to; the outcome stays with the interaction.
"""

from datetime import datetime
from typing import Final

import pyarrow as pa

from spots_ml.errors import InputError
from spots_ml.scoring.decision_log.checks import check_decisions
from spots_ml.scoring.decision_log.fields import DECISIONS_WITH_OUTCOMES
from spots_ml.scoring.decision_log.log import LogReport
from spots_ml.stores.decision_refusals import refuse_other_content
from spots_ml.stores.embedded import decision_sql as sql
from spots_ml.stores.embedded.database import Database, transaction
from spots_ml.stores.embedded.decision_rows import decisions_of_rows, rows_of_decisions, to_pair
from spots_ml.stores.moments import check_period, to_microseconds, to_text

_BATCH_ROWS: Final = 50_000


class EmbeddedDecisionLog:
    """Decisions in the embedded store.

    Args:
        database: The embedded store's file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def log_decisions(self, decisions: pa.Table, *, now: datetime) -> LogReport:
        """Add decisions, each once.

        All or nothing. Other processes wait only for the last step, in which all of them are made visible.

        Args:
            decisions: Rows of schema `DECISIONS`.
            now: The present, with a time zone.

        Returns:
            How many were new, and how many were known already.

        Raises:
            InputError: When the table is refused by `check_decisions`, or a decision is logged already, or stands in
                the table, with other content; nothing is logged then.
        """
        logged_at = to_text(now)
        checked = check_decisions(decisions)
        with self._database.reading() as connection:
            connection.execute(sql.STAGE)
            with transaction(connection):
                first = 0
                for batch in checked.to_batches(max_chunksize=_BATCH_ROWS):
                    connection.executemany(sql.ADD, rows_of_decisions(batch, first))
                    first += batch.num_rows
            with transaction(connection):
                n_new = connection.execute(sql.INSERT, (logged_at,)).rowcount
                conflict = connection.execute(sql.CONFLICTS).fetchone()
                if conflict is not None:
                    refuse_other_content(*to_pair(conflict))
        return LogReport(n_new=n_new, n_known=checked.num_rows - n_new)

    def read_decisions(self, since: datetime, until: datetime) -> pa.Table:
        """Read the decisions of a period with the outcomes that are known now, all of one moment.

        Args:
            since: Start of the period, with a time zone; inclusive.
            until: Its end; exclusive.

        Returns:
            Rows of schema `DECISIONS_WITH_OUTCOMES` by moment and id; possibly none.

        Raises:
            InputError: When a moment has no zone, the period ends before it starts, or rows are missing.
        """
        check_period(since, until)
        limits = {"since": to_microseconds(since), "until": to_microseconds(until)}
        batches = []
        with self._database.consistent() as connection:
            expected = connection.execute(sql.COUNT, limits).fetchone()[0]
            cursor = connection.cursor()
            cursor.row_factory = None
            cursor.execute(sql.READ, limits)
            while rows := cursor.fetchmany(_BATCH_ROWS):
                batches.append(decisions_of_rows(rows))
        table = pa.Table.from_batches(batches, schema=DECISIONS_WITH_OUTCOMES)
        if table.num_rows != expected:
            raise InputError(
                f"the store {self._database.path} gave {table.num_rows:,} of {expected:,} decisions: its index and "
                "its table disagree; restore it from a backup"
            )
        return table
