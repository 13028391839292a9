"""What watching found, as tests keep it."""

from datetime import date

from spots_ml.monitoring.causes.watches import Watch


def watch(day=1, **changes):
    values = {
        "day": date(2026, 11, day),
        "model_type": "calling_score",
        "topic": "performance_fell",
        "version": "v1.0-real",
        "found": True,
        "told": "its lead is gone",
        "numbers": {"log_e": 0.1 + 0.2},
        "details": {"inputs": [["energy_match", 0.25]]},
        "after_registration": 3,
    }
    return Watch(**(values | changes))
