"""The decision log in Supabase: implements `scoring.decision_log.log.DecisionLog`.

Decisions are sent page by page and become visible all at once, by the function `log_decisions` of the database.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from spots_ml.errors import InputError
from spots_ml.scoring.decision_log.fields import DECISIONS, DECISIONS_WITH_OUTCOMES, asked_for
from spots_ml.scoring.decision_log.log import LogReport, check_decisions
from spots_ml.stores.moments import check_period, to_text
from spots_ml.stores.supabase.decision_rows import SENT, columns_of, decisions_of_rows, to_items
from spots_ml.stores.supabase.postgres.bulk_read import DirectReads
from spots_ml.stores.supabase.postgres.same_rows import newest_row, require_same_row, row_found
from spots_ml.stores.supabase.staging import send_batch
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.paging import Filter, KeysetRead, read_pages

if TYPE_CHECKING:
    from postgrest import SyncPostgrestClient, SyncRPCFilterRequestBuilder, SyncSelectRequestBuilder

_LOG: Final = "log_decisions"
_TABLE: Final = "decisions"
_IDENTITY: Final = "decision_id"
_VIEW: Final = "decisions_with_outcomes"
_PAGE_IDS: Final = 100
"""Ids that are asked for at once: they stand in the address."""


class SupabaseDecisionLog:
    """Decisions in a Supabase project.

    Args:
        calls: The project.
        direct: Its Postgres, for bulk reads; None: they go over the API.
    """

    def __init__(self, calls: Calls, direct: DirectReads | None) -> None:
        self._calls = calls
        self._direct = direct

    def log_decisions(self, decisions: Iterable[pa.Table], *, now: datetime) -> LogReport:
        """Add decisions, each once; what is known stays as it was made.

        All or nothing. What was sent when a process dies on the way is not visible, and swept away later.

        Args:
            decisions: Tables of rows of schema `DECISIONS`, taken one after another.
            now: The present, with a time zone.

        Returns:
            How many were new, with which claims, how many were known, and which of these would be made otherwise now.

        Raises:
            InputError: When a table is refused by `check_decisions`; nothing is logged then.
            CallError: When a call ended in no answer; logging the same decisions again is safe.
        """
        logged_at = to_text(now)
        batch = send_batch(self._calls, (item for table in decisions for item in to_items(check_decisions(table))))
        if batch.n_rows == 0:
            return LogReport(n_new=0, n_known=0)
        values: dict[str, Any] = {
            "p_batch": batch.id,
            "p_n_rows": batch.n_rows,
            "p_logged_at": logged_at,
            "p_fields": list(SENT),
        }

        def build(client: "SyncPostgrestClient") -> "SyncRPCFilterRequestBuilder":
            return client.rpc(_LOG, values)

        report = self._calls.execute("log decisions", _LOG, build, repeat="keyed").data
        match report:
            case {"status": "ok", "n_new": int(n_new), "n_known": int(n_known), "others": list(), "claims": dict()}:
                return LogReport(n_new, n_known, tuple(report["others"]), report["claims"])
            case {"status": "incomplete", "n_rows": n_rows}:
                raise InputError(
                    f"{n_rows} of the {batch.n_rows:,} decisions that were sent are there: what waits for more than a "
                    "day is swept away. Nothing was logged; log them again"
                )
            case {"status": "other_fields", "missing": list(missing)}:
                raise InputError(
                    f"the project's table {_TABLE} lacks {', '.join(map(str, missing))}: apply the migrations in "
                    "supabase/migrations (`spots-ml db push`). Nothing was logged"
                )
        raise InputError(
            f"the function {_LOG} answered {str(report)[:100]!r}; expected what this program's migrations let it "
            "answer: apply those in supabase/migrations"
        )

    def find_decisions(self, ids: Sequence[str]) -> pa.Table:
        """Look decisions up.

        Args:
            ids: Of decisions.

        Returns:
            Those that are logged, rows of schema `DECISIONS` in any order.

        Raises:
            CallError: When a call ended in no answer.
        """
        batches = []
        for start in range(0, len(ids), _PAGE_IDS):
            page = list(ids[start : start + _PAGE_IDS])

            def build(client: "SyncPostgrestClient", page: list[str] = page) -> "SyncSelectRequestBuilder":
                return client.from_(_TABLE).select(*SENT).in_(_IDENTITY, page)

            batches.append(decisions_of_rows(self._calls.execute("find decisions", _TABLE, build, repeat="read").data))
        return pa.Table.from_batches(batches, schema=DECISIONS_WITH_OUTCOMES).select(DECISIONS.names)

    def read_decisions(self, since: datetime, until: datetime, *, columns: Collection[str] | None = None) -> pa.Table:
        """Read the decisions of a period with the outcomes that are known now.

        The decisions are those of one moment, and counted. Their outcomes are of one moment too where Postgres itself
        is read; over the API each page has those of the moment when it is read.

        Args:
            since: Start of the period, with a time zone; inclusive.
            until: Its end; exclusive.
            columns: What is asked for; None: everything, which of a million decisions is half a gigabyte.

        Returns:
            Rows by moment and id, with these columns of schema `DECISIONS_WITH_OUTCOMES` in its order; possibly none.

        Raises:
            InputError: When a moment has no zone, the period ends before it starts, or rows are missing.
            CallError: When a call ended in no answer.
        """
        check_period(since, until)
        schema, period = asked_for(columns), (to_text(since), to_text(until))
        newest = newest_row(self._calls, _TABLE, _IDENTITY)
        if newest is None:
            return schema.empty_table()
        if self._direct is None:
            batches = self._read_pages(*period, schema, last=newest[0])
        else:
            batches = _read_directly(self._direct, *period, schema, newest)
        return pa.Table.from_batches(batches, schema=schema)

    def _read_pages(self, since: str, until: str, schema: pa.Schema, *, last: int) -> Iterator[pa.RecordBatch]:
        key = ("decided_at", "decision_id")
        read = KeysetRead(
            _VIEW,
            tuple(dict.fromkeys((*columns_of(schema), *key))),
            key=key,
            # Decisions about an earlier moment may be logged at any time, but none gets a number that was passed.
            cutoff=Filter("row_sequence", "lte", str(last)),
            filters=(Filter("decided_at", "gte", since), Filter("decided_at", "lt", until)),
        )
        for rows in read_pages(self._calls, read):
            yield decisions_of_rows(rows, schema)


def _read_directly(
    direct: DirectReads, since: str, until: str, schema: pa.Schema, newest: tuple[int, str]
) -> Iterator[pa.RecordBatch]:
    period = f"decided_at >= '{since}' and decided_at < '{until}'"
    count = f"select count(*) as n_rows from public.{_TABLE} where {period}"  # noqa: S608 - moments of to_text
    read = f"select {', '.join(columns_of(schema))} from public.{_VIEW} where {period} order by decided_at, decision_id"  # noqa: S608
    with direct.consistent() as snapshot:
        found = row_found(snapshot, _TABLE, _IDENTITY, up_to=newest[0])
        require_same_row(snapshot, _TABLE, found, newest)
        expected = next(iter(snapshot.read("count the decisions", _TABLE, count)))["n_rows"][0].as_py()
        n_read = 0
        for batch in snapshot.read("read the decisions", _VIEW, read):
            n_read += batch.num_rows
            yield batch.rename_columns(schema.names).cast(schema)
    if n_read != expected:
        raise InputError(
            f"{_VIEW} gave {n_read:,} of {expected:,} decisions: a pair has several interactions of one moment, or an "
            "index and its table disagree; look into the table, or restore it from a backup"
        )
