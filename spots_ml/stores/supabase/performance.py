"""Daily performance in Supabase: implements `monitoring.performance.PerformanceStore`, one JSON document a row."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

from spots_ml.digests import canonical_json
from spots_ml.monitoring.performance import PerformanceRow
from spots_ml.stores.moments import to_text
from spots_ml.stores.performance_rows import from_documents, to_documents
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.paging import Filter, KeysetRead, read_pages

if TYPE_CHECKING:
    from postgrest import SyncPostgrestClient, SyncQueryRequestBuilder

_TABLE: Final = "performance"
_KEY: Final = ("day", "origin", "arm")


class SupabasePerformanceStore:
    """Performance rows in a Supabase project, all of them over the API: a few per day.

    Args:
        calls: The project.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def save_performance(self, rows: Sequence[PerformanceRow], *, now: datetime) -> None:
        """Keep rows, in place of those of the same day, arm and origin; all of them or none.

        Args:
            rows: At most one for each day, arm and origin; others that are kept already stay.
            now: The present, with a time zone.

        Raises:
            InputError: When two rows have the same day, arm and origin; nothing is kept then.
            CallError: When the call ended in no answer; saving the same rows again is safe.
        """
        saved_at = to_text(now)
        sent = [
            {"day": day, "origin": origin, "arm": arm, "saved_at": saved_at, "document": document}
            for (day, arm, origin), document in to_documents(rows).items()
        ]
        if not sent:
            return

        def build(client: "SyncPostgrestClient") -> "SyncQueryRequestBuilder":
            from postgrest.types import ReturnMethod

            return client.from_(_TABLE).upsert(sent, on_conflict=",".join(_KEY), returning=ReturnMethod.minimal)

        self._calls.execute("save the performance", _TABLE, build, repeat="keyed")

    def read_performance(self, since: date, until: date) -> tuple[PerformanceRow, ...]:
        """Read the rows of some days.

        Args:
            since: First day.
            until: The day after the last one.

        Returns:
            The rows by day, origin and arm; possibly none.

        Raises:
            ArtifactError: When a row is not what it was when it was kept.
            InputError: When rows are missing.
            CallError: When a call ended in no answer.
        """
        read = KeysetRead(
            _TABLE,
            (*_KEY, "document"),
            key=_KEY,
            cutoff=Filter("day", "lt", until.isoformat()),
            filters=(Filter("day", "gte", since.isoformat()),),
        )
        found = [row["document"] for rows in read_pages(self._calls, read) for row in rows]
        return from_documents(map(canonical_json, found), self._calls.connection.host)
