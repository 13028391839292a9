"""Jobs: one per model and one for both, from raw data to a registered version; days scored and measured; monitoring."""

from typing import Final

import dagster as dg

from spots_ml.defs.assets.monitoring import DATA_SUFFICIENCY, FORMULA_BASELINE, VERSION_PERFORMANCE
from spots_ml.defs.assets.scoring import SCORED_OPPORTUNITIES
from spots_ml.defs.runs import BOTH_MODELS_JOB, job_name
from spots_ml.models.declared import ModelType, declared_types


def registered_version_key(model_type: ModelType) -> dg.AssetKey:
    """Name the last asset of a model's chain.

    Args:
        model_type: Which model.

    Returns:
        Its asset key.
    """
    return dg.AssetKey([model_type, "registered_version"])


def _chain(*model_types: ModelType) -> dg.AssetSelection:
    return dg.AssetSelection.assets(*map(registered_version_key, model_types)).upstream()


MODEL_JOBS: Final = {
    model_type: dg.define_asset_job(
        job_name(model_type),
        selection=_chain(model_type),
        description=f"Train, prove, certify, benchmark and register the {model_type} model.",
    )
    for model_type in declared_types()
}

BOTH_MODELS: Final = dg.define_asset_job(
    BOTH_MODELS_JOB,
    selection=_chain(*declared_types()),
    description="The main job: both models, from interactions to registered versions.",
)

DAILY_MONITORING: Final = dg.define_asset_job(
    "daily_monitoring",
    selection=dg.AssetSelection.assets(FORMULA_BASELINE, DATA_SUFFICIENCY),
    description="What the formula manages and how much data there is; trains nothing.",
)

FEATURE_IMPORTANCE: Final = dg.define_asset_job(
    "feature_importance",
    selection=dg.AssetSelection.assets(*(dg.AssetKey([model, "feature_importance"]) for model in declared_types())),
    description="What each input is worth to the models that were trained last; trains a network with a noise input.",
)

SCORING: Final = dg.define_asset_job(
    "scoring",
    selection=dg.AssetSelection.assets(SCORED_OPPORTUNITIES, VERSION_PERFORMANCE),
    description="One day: calling scores of its pairs, decisions logged, then how each version did; trains nothing.",
)

JOBS: Final = (BOTH_MODELS, *MODEL_JOBS.values(), DAILY_MONITORING, FEATURE_IMPORTANCE, SCORING)
