"""Refusals in Supabase: implements `monitoring.refusals.RefusalLog`, one JSON document a row."""

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Final

from spots_ml.models.declared import ModelType
from spots_ml.monitoring.refusals import KeptRefusal, Refused
from spots_ml.stores.moments import to_text
from spots_ml.stores.numbered_documents import from_rows
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.keeping import keep_once

if TYPE_CHECKING:
    from postgrest import SyncPostgrestClient, SyncSelectRequestBuilder

_TABLE: Final = "refusals"


class SupabaseRefusalLog:
    """Refusals in a Supabase project, over the API: a few per day at most.

    Args:
        calls: The project.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def keep_refusal(self, refused: Refused, *, now: datetime) -> None:
        """Keep a refusal under the next number.

        Args:
            refused: What was refused.
            now: The present, with a time zone.

        Raises:
            InputError: When the present has no zone.
            CallError: When the call ended in no answer.
        """
        row = {
            "refusal_id": str(uuid.uuid4()),
            "model_type": refused.model_type,
            "refused_at": to_text(now),
            "document": refused.model_dump(mode="json"),
        }
        keep_once(self._calls, "keep a refusal", _TABLE, row, key="refusal_id")

    def last_refusals(self, model_type: ModelType, *, limit: int = 100) -> tuple[KeptRefusal, ...]:
        """Read the last refusals of a model.

        Args:
            model_type: Which model.
            limit: How many at most, 1 to 1,000.

        Returns:
            The newest first, by their numbers; possibly none.

        Raises:
            ArtifactError: When one is not what it was when it was kept.
            CallError: When the call ended in no answer.
        """

        def build(client: "SyncPostgrestClient") -> "SyncSelectRequestBuilder":
            wanted = client.from_(_TABLE).select("number,refused_at,document").eq("model_type", model_type)
            return wanted.order("number", desc=True).limit(limit)

        found = self._calls.execute("read refusals", _TABLE, build, repeat="read").data
        rows = (({name: row[name] for name in ("number", "refused_at")}, row["document"]) for row in found)
        return from_rows(KeptRefusal, rows, moment="refused_at", what="refusal", store=self._calls.connection.host)
