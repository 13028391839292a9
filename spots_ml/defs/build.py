"""Puts the code location together. Nothing heavy is imported here: it is paid by every process that loads it."""

import dagster as dg

from spots_ml.defs.assets.interactions import raw_training_data, validated_dataset
from spots_ml.defs.assets.models import model_assets
from spots_ml.defs.console import console
from spots_ml.defs.jobs import JOBS
from spots_ml.defs.resources import Platform
from spots_ml.defs.sensors import SENSORS
from spots_ml.features.contract import MODEL_TYPES
from spots_ml.settings import Settings


def build_definitions(settings: Settings, *, platform: Platform | None = None) -> dg.Definitions:
    """Build fresh definitions.

    Args:
        settings: The checked settings.
        platform: In place of the one made from the settings; tests bring their own clock this way.

    Returns:
        Assets, checks, jobs and sensors over that platform.
    """
    return dg.Definitions(
        assets=[
            raw_training_data,
            validated_dataset,
            *(asset for model_type in MODEL_TYPES for asset in model_assets(model_type)),
        ],
        jobs=JOBS,
        sensors=SENSORS,
        resources={"platform": platform or Platform(settings)},
        loggers={"console": console},
        executor=dg.in_process_executor,
    )
