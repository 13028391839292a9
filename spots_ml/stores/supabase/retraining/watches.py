"""What watching versions found, in Supabase: implements `monitoring.causes.watches.WatchLog`, one document a row."""

from datetime import date
from typing import TYPE_CHECKING, Final

from spots_ml.models.declared import ModelType
from spots_ml.monitoring.causes.watches import Watch
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.paging import Filter, KeysetRead, read_pages
from spots_ml.stores.watch_rows import watches

if TYPE_CHECKING:
    from postgrest import SyncPostgrestClient, SyncQueryRequestBuilder

_TABLE: Final = "watches"
_KEY: Final = ("day", "model_type", "topic")


class SupabaseWatchLog:
    """What was found, in a Supabase project, over the API: a few rows a day.

    Every method raises `CallError` when the project gives no answer.

    Args:
        calls: The project.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def keep_watch(self, watch: Watch) -> None:
        """Keep an entry, in place of that of the same day, model and topic; see `WatchLog`."""
        document = watch.model_dump(mode="json")
        row = {name: document[name] for name in _KEY} | {"document": document}

        def build(client: "SyncPostgrestClient") -> "SyncQueryRequestBuilder":
            from postgrest.types import ReturnMethod

            return client.from_(_TABLE).upsert(row, on_conflict=",".join(_KEY), returning=ReturnMethod.minimal)

        self._calls.execute("keep what was found", _TABLE, build, repeat="keyed")

    def read_watches(self, model_type: ModelType, since: date, until: date) -> tuple[Watch, ...]:
        """Read the entries of a model; see there."""
        read = KeysetRead(
            _TABLE,
            (*_KEY, "document"),
            key=_KEY,
            cutoff=Filter("day", "lt", until.isoformat()),
            filters=(Filter("day", "gte", since.isoformat()), Filter("model_type", "eq", model_type)),
        )
        found = [row["document"] for rows in read_pages(self._calls, read) for row in rows]
        return watches(found, self._calls.connection.host)
