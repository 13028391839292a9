"""With what a model is made up to a step, beside the data: what a refusal is about."""

from typing import Any

from spots_ml.digests import digest_json
from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.learning.fitness import SufficiencyConfig
from spots_ml.monitoring.refusals import Recipe, Step
from spots_ml.pipeline.code_version import code_digest
from spots_ml.training.config import TrainingConfig


def recipe(
    step: Step,
    *,
    validation: ValidationConfig,
    sufficiency: SufficiencyConfig | None = None,
    training: TrainingConfig,
    seed: int,
    start: str | None = None,
) -> Recipe:
    """Say with what everything up to a step is made.

    Args:
        step: The last step.
        validation: How strictly rows are judged.
        sufficiency: How many labels are enough; None: the defaults.
        training: The recipe of the training; of no account for the dataset.
        seed: Of split and training; of no account for the dataset.
        start: The trained model that the training starts from, likewise; None: from the beginning.

    Returns:
        Digests of code and configuration; equal where the same data lead to the same answer.
    """
    settings: dict[str, Any] = {
        "validation": validation.digest(),
        "sufficiency": (sufficiency or SufficiencyConfig()).model_dump(mode="json"),
    }
    if step != "validated_dataset":
        settings |= {"training": training.digest(), "seed": seed, **({} if start is None else {"start": start})}
    return Recipe(code_digest=code_digest(), config_digest=digest_json(settings))
