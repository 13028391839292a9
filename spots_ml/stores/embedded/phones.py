"""What phones report, as exports brought it: implements `scoring.decision_log.phone_decisions.PhoneReports`.

A report stands beside its interaction, and is given back with what is known of it; what was told first is kept.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa

from spots_ml.interactions.columns import times
from spots_ml.scoring.decision_log.phone_decisions import PHONE_DECISIONS
from spots_ml.scoring.decision_log.told_reports import SAID_BY_PHONE, kept_reports, reporting
from spots_ml.stores.embedded.database import Database, identity_of
from spots_ml.stores.moments import check_period, to_microseconds

_TOLD: Final = (*SAID_BY_PHONE, "formula_score")
_COLUMNS: Final = tuple("agent_group" if name == "group" else name for name in _TOLD)
_KEEP: Final = f"""
INSERT INTO phone_reports (
    identity, agent_id, opportunity_id, decided_at, {", ".join(_COLUMNS)}, outcome_id, is_report, reported_at
)
VALUES ({", ".join("?" * (len(_COLUMNS) + 7))})
ON CONFLICT (identity) DO UPDATE SET
    {", ".join(f"{name} = coalesce({name}, excluded.{name})" for name in (*_COLUMNS, "outcome_id", "reported_at"))},
    is_report = max(is_report, excluded.is_report)
"""  # noqa: S608 - names of columns
_READ: Final = f"""
SELECT lower(hex(told.identity)), told.agent_id, told.opportunity_id, told.decided_at,
    {", ".join(f"told.{name}" for name in _COLUMNS)},
    told.reported_at, 'training_data',
    coalesce(own.outcome_type, other.outcome_type), coalesce(own.outcome_score, other.outcome_score),
    iif(own.outcome_type IS NULL, other.outcome_at, own.outcome_at),
    iif(own.outcome_type IS NULL, other.first_outcome_at, own.first_outcome_at),
    CASE WHEN own.outcome_type IS NOT NULL THEN 'row' WHEN other.outcome_type IS NOT NULL THEN 'id' END
FROM phone_reports AS told
JOIN interactions AS own ON own.identity = told.identity AND own.source_kind = 'real'
LEFT JOIN interactions AS other ON own.outcome_type IS NULL AND other.row_sequence = (
    SELECT found.row_sequence
    FROM phone_reports AS named JOIN interactions AS found ON found.identity = named.identity
    WHERE named.agent_id = told.agent_id AND named.opportunity_id = told.opportunity_id
        AND named.outcome_id = told.outcome_id AND NOT named.is_report
        AND found.outcome_type IS NOT NULL AND found.source_kind = 'real'
        AND NOT EXISTS (
            SELECT 1 FROM decisions WHERE decisions.identity = named.identity AND decisions.origin = 'served'
        )
        AND NOT EXISTS (
            SELECT 1 FROM phone_reports AS earlier
            WHERE earlier.agent_id = told.agent_id AND earlier.opportunity_id = told.opportunity_id
                AND earlier.outcome_id = told.outcome_id AND earlier.is_report AND earlier.number < told.number
        )
    ORDER BY found.label_sequence LIMIT 1
)
WHERE told.is_report AND told.decided_at >= :since AND told.decided_at < :until
ORDER BY told.decided_at, told.identity
"""  # noqa: S608 - names of columns
_GIVEN: Final = (
    *("decision_id", "agent_id", "opportunity_id", "decided_at", *_TOLD, "reported_at", "reported_in"),
    *("outcome_type", "outcome_score", "outcome_at", "first_outcome_at", "outcome_by"),
)
_BATCH_ROWS: Final = 50_000


class EmbeddedPhoneReports:
    """Reports of phones in the embedded store.

    Args:
        database: The embedded store's file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep_reports(self, reports: Iterable[pa.Table], *, now: datetime) -> int:
        """Keep what an export tells of phones' decisions, all of it or nothing; what was told first stays.

        Args:
            reports: Tables of schema `TOLD_REPORTS`. What no store may keep, and what tells nothing of a decision or of
                the id of its outcome, is passed over.
            now: The present, with a time zone: when a report was written of which the export does not say it.

        Returns:
            How many decisions were told, each as often as it was.
        """
        # Read to the end before anybody else is held up.
        told = [kept_reports(table) for table in reports]
        with self._database.writing() as connection:
            for table in told:
                connection.executemany(_KEEP, _rows(table, reporting(table), to_microseconds(now)))
        return sum(int(reporting(table).sum()) for table in told)

    def read_phone_decisions(self, since: datetime, until: datetime) -> pa.Table:
        """Read the reports of a period whose interactions are known, with the outcomes that are known now.

        Args:
            since: Start of the period, with a time zone; inclusive.
            until: Its end; exclusive.

        Returns:
            Rows of schema `PHONE_DECISIONS` by moment and id; possibly none.

        Raises:
            InputError: When a moment has no zone, or the period ends before it starts.
        """
        check_period(since, until)
        limits = {"since": to_microseconds(since), "until": to_microseconds(until)}
        batches = []
        with self._database.consistent() as connection:
            cursor = connection.cursor()
            cursor.row_factory = None
            cursor.execute(_READ, limits)
            while rows := cursor.fetchmany(_BATCH_ROWS):
                batches.append(_reports(rows))
        return pa.Table.from_batches(batches, schema=PHONE_DECISIONS)


def _rows(reports: pa.Table, is_report: np.ndarray, now_us: int) -> Iterable[tuple[Any, ...]]:
    moments, written = (times(reports[name]).view(np.int64).tolist() for name in ("decided_at", "reported_at"))
    unsaid = reports["reported_at"].is_null().to_pylist()
    columns = [reports[name].to_pylist() for name in ("agent_id", "opportunity_id", *_TOLD, "outcome_id")]
    for row, (agent, opportunity, *said) in enumerate(zip(*columns, strict=True)):
        at = moments[row]
        reports_it = bool(is_report[row])
        reported_at = (now_us if unsaid[row] else written[row]) if reports_it else None
        yield identity_of(agent, opportunity, at), agent, opportunity, at, *said, reports_it, reported_at


def _reports(rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    columns: dict[str, Any] = dict(zip(_GIVEN, zip(*rows, strict=True), strict=True))
    columns["called"] = [None if called is None else bool(called) for called in columns["called"]]
    arrays = [pa.array(columns[field.name], field.type) for field in PHONE_DECISIONS]
    return pa.RecordBatch.from_arrays(arrays, schema=PHONE_DECISIONS)
