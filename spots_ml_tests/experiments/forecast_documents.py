"""Forecasts with made-up numbers."""

from spots_ml.estimates.estimate import Estimate
from spots_ml.experiments.forecasting.forecasts import Forecast, NewForecast
from spots_ml.experiments.forecasting.off_policy import OffPolicyValue
from spots_ml.experiments.forecasting.planner import Plan, PlannedEffect, Traffic
from spots_ml_tests.experiments.unit_tables import T0


def interval(value, low=None, high=None):
    return Estimate(value=value, low=low, high=high)


def valued(effect=0.06, low=0.02, high=0.1):
    nothing = OffPolicyValue.nothing("nobody looked")
    if effect is None:
        return nothing
    return nothing.model_copy(update={"effect": interval(effect, low, high), "cannot": None, "n_decisions": 5_000})


def planned(effect=0.06, day=20.0):
    traffic = Traffic(agents_per_day=180.0, came_by_day=(0.0, 180.0, 250.0), spread=0.3, n_units=400)
    found = 0.0 if day is None else 0.9
    one = PlannedEffect(effect=effect, found=found, day=day, early_day=day, late_day=None, over_day=21.0)
    return Plan(traffic=traffic, longest_days=60.0, level=0.02, effects=(one,))


def new_forecast(**changes):
    told = {
        "model_type": "calling_score",
        "version": "v1.4-real",
        "weight": 0.3,
        "champion": "v1.3-real",
        "value": valued(),
        "plan": planned(),
        "no_plan": None,
        "actor": "test",
    }
    return NewForecast(**(told | changes))


def forecast(number=1, after_rollout=0, **changes):
    return Forecast(**{**dict(new_forecast(**changes)), "number": number, "after_rollout": after_rollout, "at": T0})
