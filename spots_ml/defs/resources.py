"""The one resource: it hands assets and sensors the settings, the places and the stores as plain objects."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from spots_ml.places import Places
from spots_ml.settings import Settings

if TYPE_CHECKING:
    from spots_ml.interactions.judging.rules import ValidationConfig
    from spots_ml.interactions.learning.expectations_process import ExpectationsProcess
    from spots_ml.pipeline.attempts import PresentAttempts
    from spots_ml.pipeline.data_steps import Sources
    from spots_ml.registry.records import ModelVersion
    from spots_ml.stores.store import Store
    from spots_ml.training.config import TrainingConfig


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Platform:
    """Where things are kept and what time it is.

    A plain object rather than a configurable resource, on purpose: settings come from the environment, are checked
    once, and never appear in a run's configuration.

    Attributes:
        settings: The checked settings.
        now: Tells the present in UTC.
        expectations: Great Expectations, being imported already; None: it is started when it is needed.
        anew: Whether everything is made again although the same was made already.
    """

    settings: Settings
    now: Callable[[], datetime] = _utc_now
    expectations: "ExpectationsProcess | None" = None
    anew: bool = False

    @property
    def places(self) -> Places:
        """Where everything lies."""
        return self.settings.places

    @property
    def validation_config(self) -> "ValidationConfig":
        """How strictly interactions are validated."""
        from spots_ml.interactions.judging.rules import ValidationConfig

        return ValidationConfig(max_broken_share=self.settings.max_broken_share)

    def sources(self) -> "Sources":
        """Say what each source of interactions needs.

        Returns:
            The sources; the store is opened when it is the one that is read.
        """
        from spots_ml.pipeline.data_steps import Sources

        settings = self.settings
        return Sources(
            settings.store,
            lambda: self.store().interactions,
            export_path=settings.export_path,
            synthetic_rows=settings.synthetic_rows,
            synthetic_seed=settings.synthetic_seed,
        )

    def training_config(self) -> "TrainingConfig":
        """Read how models are trained.

        Returns:
            The profile that the settings name, or the built-in defaults.

        Raises:
            ConfigError: When the profile cannot be read or is not valid.
        """
        from spots_ml.training.config import TrainingConfig, load_profile

        profile = self.settings.profile
        return load_profile(profile) if profile else TrainingConfig()

    def attempts(self, versions: "Callable[[], Iterable[ModelVersion]]") -> "PresentAttempts":
        """Say with what a training that nobody changed by hand would be made now.

        Args:
            versions: Lists the versions of the model, one of which may be started from.

        Returns:
            What tells it; nothing is read before it is asked.
        """
        from spots_ml.pipeline.attempts import PresentAttempts
        from spots_ml.pipeline.learned_rows import model_to_start_from

        def start() -> str | None:
            training = self.training_config()
            return model_to_start_from(versions(), training) if training.warm_start else None

        return PresentAttempts(self.places, self.sources(), self.validation_config, self.training_config, start)

    def data_docs_url(self, dataset_digest: str) -> dg.MetadataValue:
        """Link to a dataset's Data Docs, which `make dev` serves beside the UI."""
        return dg.MetadataValue.url(f"{self.settings.data_docs_url}/{dataset_digest}/index.html")

    def store(self, *, attempts: int | None = None) -> "Store":
        """Open the configured store.

        Args:
            attempts: How often a call over the network is sent at most; None: as often as a long run can wait for.

        Returns:
            The store.

        Raises:
            ConfigError: When it is Supabase, and its address, key or DSN is none.
            ArtifactError: When the embedded store's file is none of spots_ml.
        """
        from spots_ml.opening import open_store

        return open_store(self.settings, attempts=attempts)
