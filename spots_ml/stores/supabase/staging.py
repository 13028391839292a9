"""Sending rows that must become visible all at once: page by page into `incoming_rows`, under the id of a batch.

Nothing is visible until the function that takes the batch in is called; what a killed process has sent is swept away
by a later one.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from spots_ml.stores.supabase.transport.calls import Calls

if TYPE_CHECKING:
    from postgrest import SyncPostgrestClient, SyncQueryRequestBuilder

_PAGE_ROWS: Final = 500
_TABLE: Final = "incoming_rows"


@dataclass(frozen=True)
class Batch:
    """Rows that have been sent.

    Attributes:
        id: What names them (a UUID); also the key that makes taking them in repeatable.
        n_rows: How many they are.
    """

    id: str
    n_rows: int


def send_batch(calls: Calls, items: Iterable[dict[str, Any]]) -> Batch:
    """Send rows; a page that is lost on the way is sent again.

    Args:
        calls: The project.
        items: Documents of JSON; held a page at a time.

    Returns:
        What was sent, in positions from 0 in the order of the items.

    Raises:
        CallError: When a page was not accepted.
    """
    batch, position, waiting = str(uuid.uuid4()), 0, iter(items)
    while page := list(islice(waiting, _PAGE_ROWS)):
        rows = [{"batch": batch, "position": position + index, "item": item} for index, item in enumerate(page)]

        def build(client: "SyncPostgrestClient", rows: list[dict[str, Any]] = rows) -> "SyncQueryRequestBuilder":
            from postgrest.types import ReturnMethod

            return client.from_(_TABLE).upsert(
                rows, on_conflict="batch,position", ignore_duplicates=True, returning=ReturnMethod.minimal
            )

        calls.execute("send rows", _TABLE, build, repeat="keyed")
        position += len(rows)
    return Batch(batch, position)
