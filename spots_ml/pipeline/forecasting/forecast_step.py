"""Forecasts a version before it has traffic, keeps that, and scores what was forecast of earlier ones."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from spots_ml.errors import InsufficientDataError
from spots_ml.experiments.forecasting.forecasts import ForecastScore, NewForecast, forecast_of, score_forecast
from spots_ml.experiments.forecasting.planner import DEFAULT_EFFECTS, Plan
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.models.declared import ModelType
from spots_ml.pipeline.forecasting.off_policy_step import value_from_log
from spots_ml.pipeline.forecasting.plan_step import plan_next
from spots_ml.registry.in_service import active_version
from spots_ml.stores.store import Store

_MOST: Final = 1_000
_STAYS_FRESH: Final = timedelta(days=1)
"""How long a forecast is not made again while nothing else has started: the log hardly says more."""


def forecast_version(
    store: Store,
    models_dir: Path,
    model_type: ModelType,
    version: str,
    policy: RolloutPolicy,
    *,
    now: datetime,
    actor: str,
) -> NewForecast:
    """Forecast a version against what answers now, and keep the forecast.

    Args:
        store: Everything that is known.
        models_dir: The folder of all published versions.
        model_type: Which model.
        version: Its version.
        policy: The rules of its rollout.
        now: The present, with a time zone.
        actor: Who asks.

    Returns:
        What was kept: an effect by the log, or why there is none, and when it would be found.

    Raises:
        RegistryError: When there is no such version.
    """
    row = store.versions.get(model_type, version)
    active = active_version(store.versions.list_versions(model_type))
    weight = row.weight if active is None else active.weight
    value = value_from_log(store, models_dir, model_type, version, weight=weight, policy=policy, now=now)
    effect = None if value.effect is None else value.effect.value
    effects = DEFAULT_EFFECTS if not effect else (effect, *DEFAULT_EFFECTS)
    plan, no_plan = _planned(store, model_type, policy, effects, now)
    forecast = NewForecast(
        model_type=model_type,
        version=version,
        weight=weight,
        champion=None if active is None else active.version,
        value=value,
        plan=plan,
        no_plan=no_plan,
        actor=actor,
    )
    store.forecasts.keep_forecast(forecast, now=now)
    return forecast


def forecast_before_start(
    store: Store,
    models_dir: Path,
    model_type: ModelType,
    version: str,
    policy: RolloutPolicy,
    *,
    now: datetime,
    actor: str,
) -> None:
    """Forecast a version that is about to be rolled out, unless that was done a short while ago.

    Args:
        store: Everything that is known.
        models_dir: The folder of all published versions.
        model_type: Which model.
        version: Its version.
        policy: The rules of its rollout.
        now: The present, with a time zone.
        actor: Who starts it.

    Raises:
        RegistryError: When there is no such version.
    """
    row = store.versions.get(model_type, version)
    active = active_version(store.versions.list_versions(model_type))
    against = (None, row.weight) if active is None else (active.version, active.weight)
    last_rollout = max((one.number for one in store.rollouts.list_rollouts()), default=0)
    for known in store.forecasts.list_forecasts(model_type, version, limit=1):
        same = (known.champion, known.weight, known.after_rollout) == (*against, last_rollout)
        if same and abs(now - known.at) < _STAYS_FRESH:
            return
    forecast_version(store, models_dir, model_type, version, policy, now=now, actor=actor)


def _planned(
    store: Store, model_type: ModelType, policy: RolloutPolicy, effects: tuple[float, ...], now: datetime
) -> tuple[Plan | None, str | None]:
    try:
        return plan_next(store, model_type, policy, effects, now=now), None
    except InsufficientDataError as error:
        return None, str(error)


def forecast_scores(store: Store, model_type: ModelType, *, limit: int = 10) -> tuple[ForecastScore, ...]:
    """Score the forecasts of a model's rollouts.

    Args:
        store: Forecasts and rollouts.
        model_type: Which model.
        limit: How many rollouts are looked at, the newest.

    Returns:
        One per rollout that has a forecast, the newest first; of those on their way what is known so far.
    """
    forecasts = store.forecasts.list_forecasts(model_type, limit=_MOST)
    scores = []
    for rollout in store.rollouts.list_rollouts(model_type)[: -limit - 1 : -1]:
        forecast = forecast_of(rollout, forecasts)
        if forecast is not None:
            looks = store.rollouts.rollout_looks(rollout.number, limit=1)
            events = store.rollouts.rollout_events(rollout.number)
            scores.append(score_forecast(forecast, rollout, events, looks[-1] if looks else None))
    return tuple(scores)
