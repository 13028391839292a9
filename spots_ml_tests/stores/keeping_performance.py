"""Daily performance as the tests of stores keep it and read it back."""

from datetime import UTC, date, datetime

from spots_ml.estimates.estimate import Estimate
from spots_ml.monitoring.performance import PerformanceRow

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def row(day=1, arm="formula", origin="served", called_rate=0.25, **changes):
    estimates = ("positive_outcome_rate", "mean_calling_score", "mean_outcome_score", "fallback_rate")
    values = {
        "day": date(2026, 11, day),
        "arm": arm,
        "origin": origin,
        "window_days": 7,
        "maturity_hours": 72.0,
        "n_decisions": 100,
        "n_agents": 10,
        "n_matured": 50,
        "n_labelled": 40,
        "n_expired": 10,
        "fallbacks": {"outcome: slow": 3, "calling_score: damaged": 1},
        "called_rate": Estimate(value=called_rate, low=called_rate / 3, high=0.1 + 0.2),
        **{name: Estimate(value=None, low=None, high=None) for name in estimates},
    }
    return PerformanceRow(**(values | changes))


def save(store, *rows):
    store.performance.save_performance(rows, now=NOW)


def read(store, since=1, until=30):
    return store.performance.read_performance(date(2026, 11, since), date(2026, 11, until))
