"""Forecasts in SQLite: implements `experiments.forecasting.forecasts.ForecastStore`, one JSON document a row."""

import json
from datetime import datetime

from spots_ml.digests import canonical_json
from spots_ml.experiments.forecasting.forecasts import Forecast, NewForecast
from spots_ml.models.declared import ModelType
from spots_ml.stores.embedded.database import Database
from spots_ml.stores.moments import to_text
from spots_ml.stores.numbered_documents import from_rows

_KEEP = """
INSERT INTO forecasts (model_type, version, after_rollout, made_at, document)
SELECT ?, ?, coalesce(max(number), 0), ?, ? FROM rollouts
"""
_READ = """
SELECT number, after_rollout, made_at AS at, document FROM forecasts
WHERE model_type = :model_type AND version = coalesce(:version, version) ORDER BY number DESC LIMIT :limit
"""
_GIVEN = ("number", "after_rollout", "at")


class EmbeddedForecastStore:
    """Forecasts in the embedded store; see `ForecastStore` for what each method promises.

    Args:
        database: The embedded store's file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep_forecast(self, forecast: NewForecast, *, now: datetime) -> None:
        """Keep a forecast under the next number, with the number of the last rollout that there is.

        Args:
            forecast: What is predicted.
            now: The present, with a time zone.

        Raises:
            InputError: When the present has no zone.
        """
        document = canonical_json(forecast.model_dump(mode="json")).decode()
        row = (forecast.model_type, forecast.version, to_text(now), document)
        with self._database.writing() as connection:
            connection.execute(_KEEP, row)

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
        """
        asked = {"model_type": model_type, "version": version, "limit": limit}
        with self._database.reading() as connection:
            found = connection.execute(_READ, asked).fetchall()
        rows = (({name: row[name] for name in _GIVEN}, json.loads(row["document"])) for row in found)
        return from_rows(Forecast, rows, moment="at", what="forecast", store=str(self._database.path))
