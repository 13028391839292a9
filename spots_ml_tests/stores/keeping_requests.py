"""Requests for a retraining as tests keep them."""

from datetime import UTC, datetime

from spots_ml.monitoring.causes.requests import RetrainingRequest

NOW = datetime(2026, 11, 21, 5, tzinfo=UTC)


def request(**changes):
    values = {"model_type": "calling_score", "reason": "a new season", "actor": "maria"}
    return RetrainingRequest(**(values | changes))
