"""Requests for a retraining in Supabase: implements `monitoring.causes.requests.RetrainingRequestLog`."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from spots_ml.models.declared import ModelType
from spots_ml.monitoring.causes.requests import OpenRequest, RetrainingRequest
from spots_ml.stores.moments import to_text
from spots_ml.stores.request_rows import open_requests, row_to_keep
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.keeping import keep_once

if TYPE_CHECKING:
    from postgrest import (
        SyncPostgrestClient,
        SyncRPCFilterRequestBuilder,
        SyncSelectRequestBuilder,
    )

_TABLE: Final = "retraining_requests"
_OPEN: Final = "open_retraining_requests"
_TAKE: Final = "take_retraining_requests"


class SupabaseRetrainingRequests:
    """Requests and their takings in a Supabase project, over the API.

    Every method raises `CallError` when the project gives no answer.

    Args:
        calls: The project.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def ask(self, request: RetrainingRequest, *, now: datetime) -> int:
        """Keep a request under the next number; see `RetrainingRequestLog`."""
        row = {**row_to_keep(request, now), "request_id": str(uuid.uuid4())}
        keep_once(self._calls, "ask for a retraining", _TABLE, row, key="request_id")

        def find(client: "SyncPostgrestClient") -> "SyncSelectRequestBuilder":
            return client.from_(_TABLE).select("number").eq("request_id", row["request_id"])

        (kept,) = self._calls.execute("read the request", _TABLE, find, repeat="read").data
        number: int = kept["number"]
        return number

    def open_requests(self, model_type: ModelType) -> tuple[OpenRequest, ...]:
        """Read what nothing has answered yet; see there."""

        def build(client: "SyncPostgrestClient") -> "SyncSelectRequestBuilder":
            return client.from_(_OPEN).select("*").eq("model_type", model_type).order("number").limit(1000)

        found = self._calls.execute("read requests for a retraining", _OPEN, build, repeat="read").data
        return open_requests(found, self._calls.connection.host)

    def take(self, requests: Sequence[OpenRequest], *, taker: str, now: datetime) -> tuple[int, ...]:
        """Take requests, each unless somebody took it since it was read; see there."""
        sent: dict[str, Any] = {
            "p_requests": [one.number for one in requests],
            "p_last": [one.taking.number if one.taking else 0 for one in requests],
            "p_taker": taker,
            "p_taken_at": to_text(now),
            "p_call_id": str(uuid.uuid4()),
        }

        def build(client: "SyncPostgrestClient") -> "SyncRPCFilterRequestBuilder":
            return client.rpc(_TAKE, sent)

        return tuple(self._calls.execute("take requests for a retraining", _TAKE, build, repeat="keyed").data)
