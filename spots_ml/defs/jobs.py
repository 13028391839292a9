"""Jobs: one per model and one for all, from raw data to a registered version; days scored and measured; monitoring."""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import dagster as dg

from spots_ml.defs.assets.monitoring import DATA_SUFFICIENCY, FORMULA_BASELINE, VERSION_PERFORMANCE
from spots_ml.defs.assets.scoring import SCORED_OPPORTUNITIES
from spots_ml.defs.history.runs import BOTH_MODELS_JOB, STORE_TAG, job_name
from spots_ml.defs.rollouts.asset import rollout_key
from spots_ml.defs.rollouts.drill import ROLLBACK_DRILL
from spots_ml.interactions.kinds import StoreKind
from spots_ml.models.declared import ModelType, declared_types

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition


def registered_version_key(model_type: ModelType) -> dg.AssetKey:
    """Name the asset that registers a model.

    Args:
        model_type: Which model.

    Returns:
        Its asset key.
    """
    return dg.AssetKey([model_type, "registered_version"])


def _chain(*model_types: ModelType) -> dg.AssetSelection:
    return dg.AssetSelection.assets(*(dg.AssetKey([one, "blessing"]) for one in model_types)).upstream()


@functools.cache
def model_job(model_type: ModelType, store: StoreKind) -> "UnresolvedAssetJobDefinition":
    """Give the job of one model, one and the same for all who ask.

    Args:
        model_type: Which model.
        store: The store that is configured, for the run history.

    Returns:
        A job from raw data to a registered version and its blessing.
    """
    return dg.define_asset_job(
        job_name(model_type),
        selection=_chain(model_type),
        tags={STORE_TAG: store},
        description=f"Train, prove, certify, benchmark, register and bless the {model_type} model.",
    )


DAILY_MONITORING: Final = dg.define_asset_job(
    "daily_monitoring",
    selection=dg.AssetSelection.assets(FORMULA_BASELINE, DATA_SUFFICIENCY),
    description="What the formula manages and how much data there is; trains nothing.",
)

SCORING: Final = dg.define_asset_job(
    "scoring",
    selection=dg.AssetSelection.assets(SCORED_OPPORTUNITIES, VERSION_PERFORMANCE),
    description="One day: calling scores of its pairs, decisions logged, then how each version did; trains nothing.",
)

ROLLOUTS: Final = dg.define_asset_job(
    "rollouts",
    selection=dg.AssetSelection.assets(*map(rollout_key, declared_types())),
    description="One look at the rollout of each model, and what follows from it; trains nothing.",
)

DRILLS: Final = dg.define_asset_job(
    "drills",
    selection=dg.AssetSelection.assets(ROLLBACK_DRILL),
    description="Rehearses in a place of its own that what must be taken back is, within seconds.",
)


def all_jobs(model_types: Sequence[ModelType], store: StoreKind) -> "list[UnresolvedAssetJobDefinition]":
    """List the jobs.

    Args:
        model_types: The models there are.
        store: The store that is configured, for the run history.

    Returns:
        The main job, one job per model, and those that train nothing.
    """
    main = dg.define_asset_job(
        BOTH_MODELS_JOB,
        selection=_chain(*model_types),
        tags={STORE_TAG: store},
        description="The main job: all models, from interactions to registered versions with their blessings.",
    )
    importance = dg.define_asset_job(
        "feature_importance",
        selection=dg.AssetSelection.assets(*(dg.AssetKey([model, "feature_importance"]) for model in model_types)),
        description="What each input is worth to the models trained last; trains a network with a noise input.",
    )
    each = (model_job(model, store) for model in model_types)
    return [main, *each, DAILY_MONITORING, importance, SCORING, ROLLOUTS, DRILLS]
