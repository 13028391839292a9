"""Adding a row of its own id, once, however often the call is sent."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spots_ml.stores.supabase.transport.calls import Calls

if TYPE_CHECKING:
    from postgrest import SyncPostgrestClient, SyncQueryRequestBuilder


def keep_once(calls: Calls, operation: str, table: str, row: Mapping[str, Any], *, key: str) -> None:
    """Add a row, unless one of its id is there: so a call whose answer is lost may be sent again.

    Args:
        calls: The project.
        operation: What is done, in words that follow "could not".
        table: The table.
        row: Its columns; values of JSON.
        key: The column that is the caller's own id of the row.

    Raises:
        CallError: When the call ended in no answer.
    """

    def build(client: "SyncPostgrestClient") -> "SyncQueryRequestBuilder":
        from postgrest.types import ReturnMethod

        return client.from_(table).upsert(
            dict(row), on_conflict=key, ignore_duplicates=True, returning=ReturnMethod.minimal
        )

    calls.execute(operation, table, build, repeat="keyed")
