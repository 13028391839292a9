"""`feature_importance`: what each group of inputs, and each input, is worth to a trained model, against pure noise.

No step of the training job: it trains one more network, and nothing that ships depends on it. What it shows is in
`importance_metadata`.
"""

import dagster as dg
from pydantic import Field

from spots_ml.defs.assets.keys import DATASET, OWNERS, model_key
from spots_ml.defs.failures import refusals_in_words
from spots_ml.defs.lineage import result, upstream_digest
from spots_ml.defs.resources import Platform
from spots_ml.errors import ConfigError
from spots_ml.models.declared import ModelType

_MOST_REPEATS = 1_000


class ImportanceOptions(dg.Config):
    """What a run may change about the measurement."""

    n_repeats: int = Field(default=10, description="Permutations of the test rows, 1 to 1,000.")

    def checked_repeats(self) -> int:
        """Insist on a number of permutations that can be made.

        Returns:
            The number.

        Raises:
            ConfigError: When it is out of range.
        """
        if not 1 <= self.n_repeats <= _MOST_REPEATS:
            raise ConfigError(f"n_repeats is {self.n_repeats}; expected a whole number from 1 to {_MOST_REPEATS:,}")
        return self.n_repeats


def feature_importance(model_type: ModelType) -> dg.AssetsDefinition:
    """Build the asset for one model.

    Args:
        model_type: Which model.

    Returns:
        The asset.
    """
    trained_key = model_key(model_type, "trained_model")

    @dg.asset(
        key=model_key(model_type, "feature_importance"),
        deps=[DATASET, trained_key],
        group_name=model_type,
        kinds={"python", "pytorch"},
        owners=OWNERS,
        description=(
            "Permutation importance on the test rows: how much the test error grows when a group of inputs, or one "
            "input, comes from another agent's row, with intervals over agents and permutations, beside an input of "
            "pure noise in a network trained with it."
        ),
    )
    def build(
        context: dg.AssetExecutionContext, config: ImportanceOptions, platform: dg.ResourceParam[Platform]
    ) -> dg.MaterializeResult:
        """Permute, train with a probe, keep the document."""
        from spots_ml.defs.pages.importance import importance_metadata
        from spots_ml.pipeline.importance_step import measure_inputs

        with refusals_in_words():
            n_repeats = config.checked_repeats()
            trained_digest = upstream_digest(context, trained_key)
            context.log.info("training once more, with an input of pure noise")
            kept = measure_inputs(platform.places, trained_digest, n_repeats=n_repeats)
        context.log.info(kept.importance.message)
        return result(kept.digest, {**importance_metadata(kept.importance), "path": dg.MetadataValue.path(kept.path)})

    return build
