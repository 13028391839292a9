"""Keeps what gates refuse in a run: the steps hand their verdicts over, and the store keeps the answer."""

from typing import TYPE_CHECKING

import dagster as dg

from spots_ml.defs.resources import Platform
from spots_ml.models.declared import ModelType, declared_types

if TYPE_CHECKING:
    from spots_ml.monitoring.refusals import Step
    from spots_ml.pipeline.refusing import Refusals, Subject
    from spots_ml.training.config import TrainingConfig


def refusals_of(context: dg.AssetExecutionContext, platform: Platform) -> "Refusals":
    """Say where the refusals of a run are kept.

    Args:
        context: Of the running step.
        platform: Where things are kept.

    Returns:
        What keeps them.
    """
    from spots_ml.pipeline.refusing import Refusals

    return Refusals(platform.store().refusals, platform.settings.store, context.run.run_id, platform.now)


def about_snapshot(platform: Platform, snapshot_digest: str) -> "Subject":
    """Describe what the dataset's step is about; every model would learn from it.

    Args:
        platform: Where things are kept.
        snapshot_digest: The snapshot.

    Returns:
        The subject.
    """
    from spots_ml.pipeline.recipes import recipe
    from spots_ml.pipeline.refusing import snapshot_subject
    from spots_ml.training.config import TrainingConfig

    made_with = recipe("validated_dataset", validation=platform.validation_config, training=TrainingConfig(), seed=0)
    return snapshot_subject(platform.places, snapshot_digest, declared_types(), made_with)


def about_training(
    platform: Platform,
    model_type: ModelType,
    dataset_digest: str,
    training: "TrainingConfig",
    seed: int,
    start: str | None = None,
) -> "Subject":
    """Describe what a training is about.

    Args:
        platform: Where things are kept.
        model_type: Which model.
        dataset_digest: What it learns from.
        training: How.
        seed: Of split and training.
        start: The trained model that it starts from; None: from the beginning.

    Returns:
        The subject.

    Raises:
        ArtifactError: When the dataset is missing or damaged.
    """
    from spots_ml.pipeline.recipes import recipe
    from spots_ml.pipeline.refusing import dataset_subject

    made_with = recipe(
        "trained_model", validation=platform.validation_config, training=training, seed=seed, start=start
    )
    return dataset_subject(platform.places, dataset_digest, model_type, made_with)


def about_model(platform: Platform, step: "Step", trained_digest: str) -> "Subject":
    """Describe what a step after the training is about.

    Args:
        platform: Where things are kept.
        step: Which step.
        trained_digest: The trained model it builds on.

    Returns:
        The subject.

    Raises:
        ArtifactError: When the model or its dataset is missing or damaged.
    """
    from spots_ml.pipeline.recipes import recipe
    from spots_ml.pipeline.refusing import dataset_subject
    from spots_ml.training.trained_model import load_trained_model

    document = load_trained_model(platform.places.trained_dir, trained_digest).document
    start = None if document.warm_start is None else document.warm_start.trained_digest
    validation, training = platform.validation_config, document.config
    made_with = recipe(step, validation=validation, training=training, seed=document.seed, start=start)
    return dataset_subject(platform.places, document.dataset_digest, document.model_type, made_with)
