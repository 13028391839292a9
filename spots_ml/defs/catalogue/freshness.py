"""How old an asset may become before the UI says so: where the product promises days.

Only assets without partitions have such a promise: of days it says nothing when an old one is filled in.
"""

from datetime import timedelta
from typing import Final

import dagster as dg

from spots_ml.monitoring.retraining import RetrainConfig

_DAILY: Final = dg.FreshnessPolicy.time_window(warn_window=timedelta(hours=26), fail_window=timedelta(hours=48))
"""A day, and two hours for a late run; the second missed day fails."""

_RETRAINING_TAKES: Final = timedelta(hours=6)
"""Time for the sensor, the queue, the run itself and a second attempt."""


def freshness_policy(key: dg.AssetKey, retrain: RetrainConfig) -> dg.FreshnessPolicy | None:
    """Tell how fresh an asset is to be.

    Args:
        key: The asset.
        retrain: When a model is due again.

    Returns:
        For versions: the longest age before the retraining, with time for it before the warning, and the longest wait
        between two attempts before the failure. For the daily monitoring: a day. None for everything else.
    """
    match key.path[-1]:
        case "registered_version":
            due = timedelta(days=retrain.max_age_days)
            return dg.FreshnessPolicy.time_window(
                warn_window=due + _RETRAINING_TAKES,
                fail_window=due + _RETRAINING_TAKES + timedelta(hours=retrain.backoff_max_hours),
            )
        case "formula_baseline" | "data_sufficiency":
            return _DAILY
        case _:
            return None
