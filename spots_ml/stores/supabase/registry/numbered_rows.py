"""Reading rows whose numbers are given while the registry is locked: no row comes below one that was seen."""

from collections.abc import Mapping

from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.paging import Filter, KeysetRead, Row, last_row, read_pages


def read_numbered(
    calls: Calls, table: str, columns: tuple[str, ...], key: str, wanted: Mapping[str, str | None]
) -> tuple[Row, ...]:
    """Read up to the highest number there is now.

    Args:
        calls: The project.
        table: The table.
        columns: What to read of it, the number among it.
        key: The column that numbers its rows.
        wanted: Column -> the value it has in all rows that are wanted; None: any.

    Returns:
        The rows by number.

    Raises:
        CallError: When a call ends in no answer.
        IncompleteReadError: When the rows are not those that the server counted.
    """
    newest = last_row(calls, table, key)
    if newest is None:
        return ()
    read = KeysetRead(
        table=table,
        columns=columns,
        key=(key,),
        cutoff=Filter(key, "lte", str(newest[key])),
        filters=tuple(Filter(column, "eq", value) for column, value in wanted.items() if value is not None),
    )
    return tuple(row for page in read_pages(calls, read) for row in page)
