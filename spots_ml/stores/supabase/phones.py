"""What phones report, as they wrote it: implements `scoring.decision_log.phone_decisions.PhoneDecisions`."""

from datetime import datetime
from typing import Final

import pyarrow as pa

from spots_ml.scoring.decision_log.phone_decisions import PHONE_DECISIONS
from spots_ml.stores.moments import check_period, to_text
from spots_ml.stores.supabase.arrival import present, present_comparison
from spots_ml.stores.supabase.decision_rows import columns_of, decisions_of_rows
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.paging import Filter, KeysetRead, read_pages

_REPORTS: Final = "phone_decisions"
_COMPARISONS: Final = "phone_comparisons"
_NUMBER: Final = "row_sequence"


class SupabasePhoneDecisions:
    """Reports of phones in a Supabase project.

    Args:
        calls: The project.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

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
