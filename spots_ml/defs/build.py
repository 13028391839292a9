"""Puts the code location together. Nothing heavy is imported here: it is paid by every process that loads it."""

import dagster as dg

from spots_ml.defs.assets.formula_baseline import formula_baseline
from spots_ml.defs.assets.interactions import raw_training_data, validated_dataset
from spots_ml.defs.assets.models import model_assets
from spots_ml.defs.assets.overview import all_at_a_glance, overview_sensor
from spots_ml.defs.assets.performance import version_performance
from spots_ml.defs.assets.scoring import scored_opportunities
from spots_ml.defs.assets.sufficiency import data_sufficiency
from spots_ml.defs.catalogue.code_versions import code_version
from spots_ml.defs.catalogue.ends import ends
from spots_ml.defs.catalogue.freshness import freshness_policy
from spots_ml.defs.console import console
from spots_ml.defs.failure_sensor import run_failed
from spots_ml.defs.jobs import all_jobs
from spots_ml.defs.resources import Platform
from spots_ml.defs.rollouts.drill import rollback_drill
from spots_ml.defs.rollouts.sensor import rollout_sensor
from spots_ml.defs.schedules import SCHEDULES
from spots_ml.defs.sensors import retraining_sensor
from spots_ml.models.declared import declared_types
from spots_ml.settings import Settings


def build_definitions(settings: Settings, *, platform: Platform | None = None) -> dg.Definitions:
    """Build fresh definitions.

    Args:
        settings: The checked settings.
        platform: In place of the one made from the settings; tests bring their own clock this way.

    Returns:
        Assets, checks, jobs, schedules and sensors over that platform.
    """
    model_types = declared_types()
    assets = [
        raw_training_data,
        validated_dataset,
        *(asset for model_type in model_types for asset in model_assets(model_type)),
        scored_opportunities,
        version_performance,
        formula_baseline,
        data_sufficiency,
        rollback_drill,
        all_at_a_glance,
    ]

    def told(spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.replace_attributes(
            code_version=code_version(spec.key), freshness_policy=freshness_policy(spec.key, settings.retrain)
        )

    return dg.Definitions(
        assets=[*dg.map_asset_specs(told, assets), *ends()],
        jobs=all_jobs(model_types, settings.store),
        schedules=SCHEDULES,
        sensors=[
            *(retraining_sensor(model, settings.store) for model in model_types),
            rollout_sensor,
            run_failed,
            overview_sensor,
        ],
        resources={"platform": platform or Platform(settings)},
        loggers={"console": console},
        executor=dg.in_process_executor,
    )
