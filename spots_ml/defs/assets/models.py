"""The model assets: one factory builds the chain of any model, from the dataset to a version and its blessing."""

import dagster as dg

from spots_ml.defs.assets.model.benchmarking import latency_benchmark
from spots_ml.defs.assets.model.blessing import blessing
from spots_ml.defs.assets.model.export import onnx_model
from spots_ml.defs.assets.model.importance import feature_importance
from spots_ml.defs.assets.model.registration import registered_version
from spots_ml.defs.assets.model.training import trained_model
from spots_ml.defs.rollouts.asset import rollout_asset
from spots_ml.models.declared import ModelType


def model_assets(model_type: ModelType) -> list[dg.AssetsDefinition]:
    """Build the chain of one model.

    Args:
        model_type: Which model.

    Returns:
        The five assets of the chain in its order, then its rollout, and the importance of the features, which ends
        nowhere.
    """
    chain = (trained_model, onnx_model, latency_benchmark, registered_version, blessing)
    return [build(model_type) for build in (*chain, rollout_asset, feature_importance)]
