"""What phones report, as they wrote it: implements `scoring.decision_log.phone_decisions.PhoneDecisions`."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

import pyarrow as pa

from spots_ml.errors import InputError
from spots_ml.scoring.decision_log.phone_decisions import PHONE_DECISIONS
from spots_ml.scoring.decision_log.told_reports import kept_reports, report_items, reporting
from spots_ml.stores.moments import check_period, to_text
from spots_ml.stores.supabase.arrival import present, present_comparison
from spots_ml.stores.supabase.decision_rows import columns_of, decisions_of_rows
from spots_ml.stores.supabase.staging import send_batch
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.paging import Filter, KeysetRead, read_pages

_REPORTS: Final = "phone_decisions"
_COMPARISONS: Final = "phone_comparisons"
_NUMBER: Final = "row_sequence"
_KEEP: Final = "keep_phone_reports"


class SupabasePhoneDecisions:
    """Reports of phones in a Supabase project.

    Args:
        calls: The project.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def keep_reports(self, reports: Iterable[pa.Table], *, now: datetime) -> int:
        """Keep what an export tells of phones' decisions, all of it or nothing; what was told first stays.

        Args:
            reports: Tables of schema `TOLD_REPORTS`. What no store may keep, and what tells nothing of a decision or of
                the id of its outcome, is passed over.
            now: Without influence: what does not say when it was written, was written now by the database's clock.

        Returns:
            How many decisions were told, each as often as it was.

        Raises:
            InputError: When what was sent is not there any more.
            CallError: When a call ended in no answer; keeping the same again is safe.
        """
        n_told = 0

        def items() -> Iterator[dict[str, Any]]:
            nonlocal n_told
            for table in reports:
                kept = kept_reports(table)
                n_told += int(reporting(kept).sum())
                yield from report_items(kept)

        batch = send_batch(self._calls, items())
        if batch.n_rows == 0:
            return 0
        values: dict[str, Any] = {"p_batch": batch.id, "p_n_rows": batch.n_rows}
        report = self._calls.execute(
            "keep reports", _KEEP, lambda client: client.rpc(_KEEP, values), repeat="keyed"
        ).data
        if not isinstance(report, dict) or report.get("status") != "ok":
            raise InputError(
                f"the function {_KEEP} answered {str(report)[:100]!r} to {batch.n_rows:,} rows; expected that all of "
                "them are there: what waits for more than a day is swept away. Nothing was kept; import again"
            )
        return n_told

    def read_phone_decisions(self, since: datetime, until: datetime) -> pa.Table:
        """Read the reports of a period that have arrived by now, and count them.

        Args:
            since: Start of the period, with a time zone; inclusive.
            until: Its end; exclusive.

        Returns:
            Rows of schema `PHONE_DECISIONS` by moment and id; possibly none. Outcomes are those that are known when a
            page is read.

        Raises:
            InputError: When a moment has no zone, the period ends before it starts, or rows are missing.
            CallError: When a call ended in no answer.
        """
        check_period(since, until)
        period = (Filter("decided_at", "gte", to_text(since)), Filter("decided_at", "lt", to_text(until)))
        # A phone may report an earlier moment at any time, but no report gets a number that was passed. Both tables are
        # numbered before either is read: each tells outcomes of the other's reports.
        reached = {_REPORTS: present(self._calls).rows, _COMPARISONS: present_comparison(self._calls)}
        reads = (
            KeysetRead(
                view,
                columns_of(PHONE_DECISIONS),
                key=("decided_at", "decision_id"),
                cutoff=Filter(_NUMBER, "lte", str(number)),
                filters=period,
            )
            for view, number in reached.items()
        )
        batches = [decisions_of_rows(rows, PHONE_DECISIONS) for read in reads for rows in read_pages(self._calls, read)]
        table = pa.Table.from_batches(batches, schema=PHONE_DECISIONS)
        return table.sort_by([("decided_at", "ascending"), ("decision_id", "ascending")])
