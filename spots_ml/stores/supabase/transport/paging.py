"""Reading all rows of a table or view, page by page, none lost and none twice.

The API cuts what it sends at a number of rows of its own (1,000 as a rule) and says nothing. So a page that comes short
proves nothing: pages follow each other by key until the exact count that the server told is reached.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from spots_ml.errors import InputError
from spots_ml.stores.supabase.transport.calls import Calls

if TYPE_CHECKING:
    from postgrest import SyncPostgrestClient, SyncSelectRequestBuilder

Key = tuple[str | int, ...]
Row = dict[str, Any]

PAGE_ROWS: Final = 1_000
"""The usual cap of the API; a page asked for above it is cut."""


@dataclass(frozen=True)
class Filter:
    """A condition on a column, in PostgREST's words.

    Attributes:
        column: Its name.
        operator: Such as `eq`, `gt`, `lte`, `is` or `not.is`.
        value: As PostgREST reads it, such as 2026-11-21T00:00:00+00:00 or null.
    """

    column: str
    operator: str
    value: str


def one_of(column: str, values: Iterable[str]) -> Filter:
    """Make the condition that a column holds one of some texts, whatever is in them.

    Args:
        column: Its name.
        values: The texts.

    Returns:
        The condition.

    >>> one_of("agent_id", ["a,b", "c d"]).value
    '("a,b","c d")'
    """
    return Filter(column, "in", f"({','.join(map(_quoted, values))})")


@dataclass(frozen=True)
class KeysetRead:
    """Which rows to read, and in which order.

    Attributes:
        table: The table or view.
        columns: What to read of it; the key's columns among them.
        key: Columns that are unique together and never null, texts or whole numbers on the wire; the order of reading.
        cutoff: The fixed upper bound that makes the set of rows one that does not grow while it is read.
        filters: Further conditions; all must hold.
    """

    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    cutoff: Filter
    filters: tuple[Filter, ...] = ()

    def __post_init__(self) -> None:
        """Check that pages can follow each other; a program that gets this wrong is a programming mistake."""
        if not self.key or not set(self.key) <= set(self.columns):
            raise ValueError(f"the key {self.key} is empty or not among the columns {self.columns}")
        if self.cutoff.operator not in ("lt", "lte"):
            raise ValueError(f"{self.cutoff} is no upper bound; expected lt or lte")


class IncompleteReadError(InputError):
    """What was read is not what the server counted: rows are missing, surplus, twice, or have moved meanwhile."""

    def __init__(self, read: KeysetRead, found: str) -> None:
        super().__init__(
            f"reading {read.table} up to {read.cutoff.column} {read.cutoff.operator} {read.cutoff.value} failed: "
            f"{found}. Nothing of it may be used; read again, and if it stays so, look into the table"
        )


def read_pages(calls: Calls, read: KeysetRead, *, page_rows: int = PAGE_ROWS) -> Iterator[list[Row]]:
    """Read all rows up to the cutoff; a page and the one before are held at a time.

    A page that is lost on the way is asked for again from the same key, before any of it is handed out. The pages are
    proven to be all only when the iteration ends: keep nothing of it when it raises.

    Args:
        calls: The project.
        read: What to read.
        page_rows: Rows asked for at a time; the server may send fewer.

    Yields:
        Rows in the order of the key, never none.

    Raises:
        IncompleteReadError: When they are not all of the rows that the server counted, but for those deleted meanwhile.
        CallError: When a call ends in no answer.
    """
    expected = count_rows(calls, read)
    n_read = 0
    after: Key | None = None
    known: frozenset[Key] = frozenset()
    while rows := _page(calls, read, after, page_rows):
        keys = [_key_of(read, row) for row in rows]
        seen = frozenset(keys)
        if len(seen) < len(keys) or not known.isdisjoint(seen):
            raise IncompleteReadError(
                read, f"a row came twice after {n_read:,} of {expected:,} rows: its key is not unique"
            )
        n_read += len(rows)
        if n_read > expected:
            raise IncompleteReadError(read, f"{n_read:,} rows came, {expected:,} were counted: rows are surplus")
        after, known = keys[-1], seen
        yield rows
    # Below a fixed bound no row comes, but any may be deleted meanwhile, before or after it was read.
    left = count_rows(calls, read)
    if n_read < left:
        raise IncompleteReadError(
            read,
            f"{n_read:,} rows came, {expected:,} were counted before and {left:,} after, which no deletion explains",
        )


def count_rows(calls: Calls, read: KeysetRead) -> int:
    """Count the rows of a read exactly, on the server.

    Args:
        calls: The project.
        read: What would be read.

    Returns:
        How many rows match its cutoff and filters.

    Raises:
        IncompleteReadError: When the server tells no count.
        CallError: When the call ends in no answer.
    """

    def build(client: "SyncPostgrestClient") -> "SyncSelectRequestBuilder":
        from postgrest.types import CountMethod

        return _filtered(client.from_(read.table).select(read.key[0], count=CountMethod.exact, head=True), read)

    count = calls.execute("count the rows", read.table, build, repeat="read").count
    if count is None:
        raise IncompleteReadError(read, "the server told no exact count, although it was asked to")
    return count


def last_row(calls: Calls, table: str, number: str, *others: str, up_to: int | None = None) -> Row | None:
    """Read the row with the highest number.

    Args:
        calls: The project.
        table: The table.
        number: The column that numbers its rows.
        others: What else to read of it.
        up_to: Rows with a higher number do not count; None: all count.

    Returns:
        The row; None: there is none.

    Raises:
        CallError: When the call ends in no answer.
    """

    def build(client: "SyncPostgrestClient") -> "SyncSelectRequestBuilder":
        request = client.from_(table).select(number, *others)
        request = request if up_to is None else request.lte(number, up_to)
        return request.order(number, desc=True).limit(1)

    rows: list[Row] = calls.execute("find the newest row", table, build, repeat="read").data
    return rows[0] if rows else None


def _page(calls: Calls, read: KeysetRead, after: Key | None, page_rows: int) -> list[Row]:
    def build(client: "SyncPostgrestClient") -> "SyncSelectRequestBuilder":
        request = _filtered(client.from_(read.table).select(*read.columns), read)
        if after is not None:
            # The first condition alone is one that an index on the key's first column can use.
            request = request.filter(read.key[0], "gt" if len(after) == 1 else "gte", str(after[0]))
            if len(after) > 1:
                request = request.or_(_beyond(read.key, after))
        for column in read.key:
            request = request.order(column)
        return request.limit(page_rows)

    rows = calls.execute("read a page of rows", read.table, build, repeat="read").data
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise IncompleteReadError(read, f"the answer is no list of rows but {type(rows).__name__}")
    return rows


def _filtered(request: "SyncSelectRequestBuilder", read: KeysetRead) -> "SyncSelectRequestBuilder":
    for condition in (read.cutoff, *read.filters):
        request = request.filter(condition.column, condition.operator, condition.value)
    return request


def _beyond(columns: Sequence[str], after: Key) -> str:
    """Write "the key is greater than `after`" as the content of PostgREST's `or=(...)`.

    >>> _beyond(("at", "id"), ("2026-11-21T00:00:00+00:00", 7))
    'at.gt."2026-11-21T00:00:00+00:00",and(at.eq."2026-11-21T00:00:00+00:00",id.gt."7")'
    """
    values = [_quoted(str(value)) for value in after]
    branches = [f"{columns[0]}.gt.{values[0]}"]
    for last in range(1, len(columns)):
        equal = [f"{columns[index]}.eq.{values[index]}" for index in range(last)]
        branches.append(f"and({','.join([*equal, f'{columns[last]}.gt.{values[last]}'])})")
    return ",".join(branches)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _key_of(read: KeysetRead, row: Mapping[str, Any]) -> Key:
    values = tuple(row.get(column) for column in read.key)
    # Numbers with a fraction may not come back as they were sent.
    key = tuple(value for value in values if isinstance(value, (str, int)) and not isinstance(value, bool))
    if len(key) < len(values):
        told = dict(zip(read.key, values, strict=True))
        raise IncompleteReadError(read, f"a row has the key {told}; expected texts or whole numbers")
    return key
