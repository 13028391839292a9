"""Refusals as tests keep them."""

from datetime import UTC, datetime

from spots_ml.monitoring.refusals import Recipe, Refused

NOW = datetime(2026, 11, 21, 5, tzinfo=UTC)
RECIPE = Recipe(code_digest="c" * 64, config_digest="d" * 64)


def refused(**changes):
    values = {
        "model_type": "calling_score",
        "store": "embedded",
        "step": "trained_model",
        "gate": "beats_baselines",
        "sentence": "worse than the constant",
        "snapshot_digest": "a" * 64,
        "dataset_digest": "b" * 64,
        "watermark": "1500/1500",
        "recipe": RECIPE,
        "run_id": "run1",
    }
    return Refused(**(values | changes))
