"""`trained_model`: the best epoch of one network, beside what simpler learners make of the same rows."""

from typing import TYPE_CHECKING, Any, Final

import dagster as dg
from pydantic import Field, create_model
from pydantic.fields import FieldInfo

from spots_ml.defs.assets.keys import DATASET, OWNERS, gate_check, model_key
from spots_ml.defs.assets.model.verdict_check import verdict_check
from spots_ml.defs.failures import refusals_in_words
from spots_ml.defs.lineage import result, upstream_digest
from spots_ml.defs.refusing import about_training, refusals_of
from spots_ml.defs.resources import Platform
from spots_ml.errors import ConfigError
from spots_ml.models.declared import ModelType
from spots_ml.training.config import TrainingConfig

if TYPE_CHECKING:
    from spots_ml.training.fit import Epoch

_EPOCHS_PER_LINE: Final = 10
_LARGEST_SEED: Final = 2**32 - 1
_LIMITS: Final = {"Gt": "Above", "Ge": "At least", "Lt": "below", "Le": "at most"}


def _option(field: FieldInfo) -> tuple[Any, Any]:
    """Make a field of the training configuration one that may be left out; its range is part of what it says."""
    limits = {type(limit).__name__: getattr(limit, type(limit).__name__.lower()) for limit in field.metadata}
    told = ", ".join(f"{_LIMITS[name]} {value:,}" for name, value in limits.items())
    kind: Any = field.annotation
    return kind | None, Field(default=None, description=f"{field.description} {told}.")


_Changes: Any = create_model(  # type: ignore[call-overload]
    "_Changes",
    __base__=dg.Config,
    **{name: _option(field) for name, field in TrainingConfig.model_fields.items()},
)


class TrainingOptions(_Changes):
    """What a run may change about the training; what is left out is as the profile says (see `TrainingConfig`)."""

    seed: int = Field(
        default=0, description="Seed of split and training, 0 to 2^32 - 1; the same seed gives the same model."
    )
    anew: bool = Field(default=False, description="Train although the very same was trained already.")

    def changes(self) -> dict[str, Any]:
        """Collect what differs from the profile.

        Returns:
            Values by field name of the training configuration.
        """
        return {name: value for name, value in dict(self).items() if name not in ("seed", "anew") and value is not None}

    def checked_seed(self) -> int:
        """Insist on a seed that every random generator takes.

        Returns:
            The seed.

        Raises:
            ConfigError: When it is out of range.
        """
        if not 0 <= self.seed <= _LARGEST_SEED:
            raise ConfigError(f"seed is {self.seed}; expected a whole number from 0 to {_LARGEST_SEED}")
        return self.seed


def trained_model(model_type: ModelType) -> dg.AssetsDefinition:
    """Build the asset for one model.

    Args:
        model_type: Which model.

    Returns:
        The asset.
    """
    key = model_key(model_type, "trained_model")

    @dg.asset(
        key=key,
        deps=[DATASET],
        group_name=model_type,
        kinds={"pytorch", "scikitlearn"},
        owners=OWNERS,
        pool=f"training_{model_type}",
        check_specs=[
            gate_check(
                key,
                "beats_baselines",
                "Better than the constant (and, for a calling score, than the app's formula), and not worse than ridge "
                "or logistic regression and gradient boosting by more than the declared margin, on the same test rows.",
            )
        ],
        description=(
            "The best epoch of the network, calibrated where it is a classifier, and what constant, formula, linear "
            "model and gradient boosting make of the same test rows, and first of all the decision that ships: the "
            "formula blended with the network at the version's weight. All with intervals over agents."
        ),
    )
    def build(
        context: dg.AssetExecutionContext, config: TrainingOptions, platform: dg.ResourceParam[Platform]
    ) -> dg.MaterializeResult:
        """Train on the dataset, keep the model, judge it."""
        from spots_ml.defs.pages.training import training_metadata
        from spots_ml.pipeline.learned_rows import model_to_start_from
        from spots_ml.pipeline.model_steps import train

        with refusals_in_words():
            digest, seed = upstream_digest(context, DATASET), config.checked_seed()
            training = platform.training_config().changed(config.changes())
            start = None
            if training.warm_start:
                start = model_to_start_from(platform.store().versions.list_versions(model_type), training)
            about = about_training(platform, model_type, digest, training, seed, start)
            with refusals_of(context, platform).of("trained_model", about) as judged:
                trained = train(
                    platform.places,
                    digest,
                    model_type,
                    training,
                    seed=seed,
                    start=start,
                    on_epoch=lambda epoch: _report(context, epoch),
                    anew=platform.anew or config.anew,
                )
                judged(trained.verdict)
        context.log.info(trained.verdict.message)
        return result(
            trained.digest,
            training_metadata(trained.model, trained.test),
            checks=[verdict_check(trained.verdict)],
            made_already=trained.made_already,
        )

    return build


def _report(context: dg.AssetExecutionContext, epoch: "Epoch") -> None:
    """Every tenth epoch is news: each line is kept in the run's history."""
    if (epoch.number + 1) % _EPOCHS_PER_LINE == 0:
        context.log.info(str(epoch))
