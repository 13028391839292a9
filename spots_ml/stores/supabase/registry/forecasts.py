"""Forecasts in Supabase: implements `experiments.forecasting.forecasts.ForecastStore`, one JSON document a row."""

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Final

from spots_ml.experiments.forecasting.forecasts import Forecast, NewForecast
from spots_ml.models.declared import ModelType
from spots_ml.stores.moments import to_text
from spots_ml.stores.numbered_documents import from_rows
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.keeping import keep_once

if TYPE_CHECKING:
    from postgrest import SyncPostgrestClient, SyncSelectRequestBuilder

_TABLE: Final = "forecasts"


class SupabaseForecastStore:
    """Forecasts in a Supabase project, over the API; see `ForecastStore` for what each method promises.

    Args:
        calls: The project.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def keep_forecast(self, forecast: NewForecast, *, now: datetime) -> None:
        """Keep a forecast under the next number, with the number of the last rollout that there is.

        Args:
            forecast: What is predicted.
            now: The present, with a time zone.

        Raises:
            InputError: When the present has no zone.
            CallError: When the call ended in no answer.
        """
        row = {
            "forecast_id": str(uuid.uuid4()),
            "model_type": forecast.model_type,
            "version": forecast.version,
            "made_at": to_text(now),
            "document": forecast.model_dump(mode="json"),
        }
        keep_once(self._calls, "keep a forecast", _TABLE, row, key="forecast_id")

    def list_forecasts(
        self, model_type: ModelType, version: str | None = None, *, limit: int = 100
    ) -> tuple[Forecast, ...]:
        """Give the last forecasts of a model, or of one version.

        Args:
            model_type: Which model.
            version: Its version; None: of all.
            limit: How many at most, 1 to 1,000.

        Returns:
            The newest first, by their numbers; possibly none.

        Raises:
            ArtifactError: When one is not what it was when it was kept.
            CallError: When the call ended in no answer.
        """

        def build(client: "SyncPostgrestClient") -> "SyncSelectRequestBuilder":
            columns = client.from_(_TABLE).select("number,after_rollout,at:made_at,document")
            wanted = columns.eq("model_type", model_type)
            if version is not None:
                wanted = wanted.eq("version", version)
            return wanted.order("number", desc=True).limit(limit)

        found = self._calls.execute("read forecasts", _TABLE, build, repeat="read").data
        given = ("number", "after_rollout", "at")
        rows = (({name: row[name] for name in given}, row["document"]) for row in found)
        return from_rows(Forecast, rows, moment="at", what="forecast", store=self._calls.connection.host)
