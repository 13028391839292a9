"""The model assets: one factory builds the chain of any model, from the dataset to a registered version."""

import dagster as dg

from spots_ml.defs.assets.benchmarking import latency_benchmark
from spots_ml.defs.assets.export import onnx_model
from spots_ml.defs.assets.importance import feature_importance
from spots_ml.defs.assets.registration import registered_version
from spots_ml.defs.assets.training import trained_model
from spots_ml.models.declared import ModelType


def model_assets(model_type: ModelType) -> list[dg.AssetsDefinition]:
    """Build the chain of one model.

    Args:
        model_type: Which model.

    Returns:
        The four assets of the chain in its order, then the importance of the features, which ends nowhere.
    """
    chain = (trained_model, onnx_model, latency_benchmark, registered_version)
    return [build(model_type) for build in (*chain, feature_importance)]
