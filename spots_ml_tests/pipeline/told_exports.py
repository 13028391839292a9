"""Exports as an app writes them, with what its phones decided."""

import json
from datetime import UTC, datetime, timedelta

from spots_ml.interactions.reading.record_layout import FEATURE_GROUPS

MOMENT = datetime(2026, 11, 21, 12, tzinfo=UTC)
DECIDED = {
    "arm": "hybrid",
    "model_version": "a",
    "outcome_model_version": "b",
    "weight": 0.25,
    "neural_score": 0.9,
    "calling_score": 0.8,
    "is_called": True,
    "propensity": 1.0,
    "fallback": None,
    "experiment": "rollout-1",
    "stage": 1,
}


def record(number, **changes):
    at = MOMENT + timedelta(minutes=number)
    return {
        "agent_id": "agent-1",
        "opportunity_id": f"spot-{number}",
        "timestamp": at.isoformat(),
        **{group: dict.fromkeys(keys, 0.5) for group, keys in FEATURE_GROUPS.items()},
        "formula_calling_score": 0.8,
        "formula_is_called": True,
    } | changes


def report(number, **changes):
    at = MOMENT + timedelta(minutes=number, seconds=5)
    return record(number, **DECIDED, reported_at=at.isoformat()) | changes


def outcome(number, **changes):
    at = MOMENT + timedelta(minutes=number, hours=3)
    return {"outcome_type": "positive", "outcome_score": 0.9, "outcome_timestamp": at.isoformat()} | changes


def write(path, *records, source="app"):
    path.write_text(json.dumps({"metadata": {"source": source}, "training_data": list(records)}))
    return path
