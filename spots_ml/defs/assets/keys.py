"""Names of the assets, their owners and the gate checks, shared by everything in this folder."""

from typing import Final

import dagster as dg

from spots_ml.models.declared import ModelType

APP_TABLE: Final = dg.AssetKey(["app", "calling_score_training_data"])
"""Written by the app; no asset here makes it."""

RAW_DATA: Final = dg.AssetKey("raw_training_data")
DATASET: Final = dg.AssetKey("validated_dataset")
INTERACTIONS_GROUP: Final = "interactions"
OWNERS: Final = ["team:spots-ml"]


def model_key(model_type: ModelType, step: str) -> dg.AssetKey:
    """Name an asset of a model's chain.

    Args:
        model_type: Which model.
        step: `trained_model`, `onnx_model`, `latency_benchmark`, `registered_version` or `blessing`.

    Returns:
        Its key, e.g. `calling_score/trained_model`.
    """
    return dg.AssetKey([model_type, step])


def gate_check(asset: dg.AssetKey, gate: str, description: str) -> dg.AssetCheckSpec:
    """Declare a gate as a check that blocks what follows in the same run.

    Args:
        asset: The asset that is judged.
        gate: The verdict's name.
        description: What it takes to pass.

    Returns:
        The check.
    """
    return dg.AssetCheckSpec(gate, asset=asset, blocking=True, description=description)
