"""Whether Postgres holds the rows that the API tells of, asked before any of its rows is used.

A DSN may be that of another project, or of a copy that lags behind: its answers would look as good. For a person who
sets up a project `same_project` compares more.
"""

from spots_ml.errors import ConfigError
from spots_ml.stores.supabase.postgres.bulk_read import ConsistentRead
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.paging import last_row


def newest_row(calls: Calls, table: str, identity: str, up_to: int | None = None) -> tuple[int, str] | None:
    """Ask the API which row arrived last, up to a number.

    Args:
        calls: The project.
        table: A table whose rows are numbered by their arrival, in `row_sequence`.
        identity: The column that tells its rows apart, in every project.
        up_to: Rows with a higher number do not count; None: all count.

    Returns:
        Number and identity of that row; None: there is none.

    Raises:
        CallError: When the call ends in no answer.
    """
    row = last_row(calls, table, "row_sequence", identity, up_to=up_to)
    return None if row is None else (row["row_sequence"], str(row[identity]))


def row_found(snapshot: ConsistentRead, table: str, identity: str, *, up_to: int) -> tuple[int, str] | None:
    """Look for that row in Postgres.

    Args:
        snapshot: Of the Postgres that is about to be read.
        table: As for `newest_row`.
        identity: As for `newest_row`.
        up_to: As for `newest_row`.

    Returns:
        As `newest_row`.

    Raises:
        CallError: When the database gives no answer.
    """
    statement = (
        f"select row_sequence, {identity}::text as found from public.{table} "  # noqa: S608 - names of this package
        f"where row_sequence <= {int(up_to)} order by row_sequence desc limit 1"
    )
    rows = [row for batch in snapshot.read("find the newest row", table, statement) for row in batch.to_pylist()]
    return (rows[0]["row_sequence"], rows[0]["found"]) if rows else None


def require_same_row(
    snapshot: ConsistentRead, table: str, found: tuple[int, str] | None, newest: tuple[int, str] | None
) -> None:
    """Insist that Postgres tells the same.

    Args:
        snapshot: Where it was looked for.
        table: As for `newest_row`.
        found: What `row_found` answered.
        newest: What `newest_row` answered before the snapshot was taken.

    Raises:
        ConfigError: When another row is in its place, or none is there.
    """
    if found != newest:
        raise ConfigError(
            f"the newest row of {table} is {_told(newest)} over the API and {_told(found)} in the Postgres at "
            f"{snapshot.host}, so nothing was read from it; set address and DSN of one project (`spots-ml db status` "
            "compares them)"
        )


def _told(row: tuple[int, str] | None) -> str:
    return "none" if row is None else f"number {row[0]:,} ({row[1]})"
