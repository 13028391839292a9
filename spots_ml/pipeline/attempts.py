"""What a training that nobody changed by hand would be made with now: `monitoring.retraining_facts.Attempts`."""

from collections.abc import Callable
from dataclasses import dataclass

from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.kinds import Source
from spots_ml.monitoring.refusals import Recipe, Step
from spots_ml.pipeline.data_steps import Sources, known_snapshot
from spots_ml.pipeline.recipes import recipe
from spots_ml.places import Places
from spots_ml.training.config import TrainingConfig

DEFAULT_SEED = 0
"""Of a run that says none."""


@dataclass(frozen=True)
class PresentAttempts:
    """What the present settings and the present code would make.

    Attributes:
        places: Where snapshots are kept.
        sources: What the sources need.
        validation: How strictly rows are judged.
        training: Gives the recipe of the training.
        start: Gives the trained model that it would start from; None: from the beginning.
    """

    places: Places
    sources: Sources
    validation: ValidationConfig
    training: Callable[[], TrainingConfig]
    start: Callable[[], str | None] = lambda: None

    def recipe(self, step: Step) -> Recipe:
        """With what everything up to a step would be made.

        Args:
            step: The last step.

        Returns:
            The recipe.

        Raises:
            ConfigError: When the training profile cannot be read.
        """
        training, start = self.training(), self.start()
        return recipe(step, validation=self.validation, training=training, seed=DEFAULT_SEED, start=start)

    def snapshot_digest(self, source: Source) -> str | None:
        """Tell which interactions a source that is no store holds now.

        Args:
            source: Which one.

        Returns:
            The digest of their snapshot; None for a store, and when they were never read as they are now.
        """
        return known_snapshot(self.places, source, self.sources)
