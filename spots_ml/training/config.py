"""How a network learns and how it is judged: every number a person may want to turn, and the profiles with them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spots_ml.digests import digest_json
from spots_ml.errors import ConfigError
from spots_ml.estimates.largest_share import MAX_AGENT_SHARE
from spots_ml.interactions.learning.split_rules import MAX_ROWS_PER_PAIR, MIN_AGENTS, MIN_EFFECTIVE_AGENTS, SplitRules
from spots_ml.troubles import raise_unless_missing

_WARM_EPOCHS: Final = 20
_WARM_RATE: Final = 0.3
_REPLAY_SHARE: Final = 0.5


class TrainingConfig(BaseModel):
    """One recipe for every model; why these numbers: `docs/decisions/training-recipe.md`. Unknown names are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    learning_rate: float = Field(
        default=0.01, gt=0.0, le=1.0, description="Peak learning rate of Adam; it rises from 0 and falls to 0."
    )
    warmup_share: float = Field(
        default=0.15, gt=0.0, lt=1.0, description="Share of the steps in which the learning rate rises, in (0, 1)."
    )
    batch_size: int = Field(default=512, ge=1, le=65_536, description="Rows per step, at most.")
    min_steps_per_epoch: int = Field(
        default=10, ge=1, le=10_000, description="Steps per epoch, at least: little data gets smaller batches."
    )
    max_epochs: int = Field(default=60, ge=1, le=10_000, description="Most passes over the training rows.")
    patience: int = Field(
        default=20, ge=1, le=10_000, description="Epochs without a better validation error before training stops."
    )
    weight_average_decay: float = Field(
        default=0.99, ge=0.0, lt=1.0, description="Decay per step of the running average of weights; 0: no average."
    )
    n_indices: int = Field(
        default=4, ge=1, le=64, description="Combinations of first-layer units that the second layer shares."
    )
    first_layer_rate: float = Field(
        default=0.03, ge=0.0, le=1.0, description="Learning rate of the first layer, as a share of the others'."
    )
    known_unit_penalty: float = Field(
        default=0.001, ge=0.0, le=1.0, description="Price of using a match, a level or an input (group lasso)."
    )
    free_unit_penalty: float = Field(
        default=0.01, ge=0.0, le=1.0, description="Price of using a first-layer unit that started at random."
    )
    required_gain: float = Field(
        default=0.005, ge=0.0, lt=1.0, description="Lead in test error over constant and formula, as a share of theirs."
    )
    tolerated_excess: float = Field(
        default=0.03, ge=0.0, le=1.0, description="Test error allowed above each simple learner's, as a share of it."
    )
    max_agent_share: float = Field(
        default=MAX_AGENT_SHARE,
        gt=0.0,
        le=1.0,
        exclude_if=lambda value: value == MAX_AGENT_SHARE,
        description="Largest share of one agent in each part of the split; twice an equal share where that is more.",
    )
    max_rows_per_pair: int = Field(
        default=MAX_ROWS_PER_PAIR,
        ge=1,
        le=10**9,
        exclude_if=lambda value: value == MAX_ROWS_PER_PAIR,
        description="Most rows of one agent about one opportunity.",
    )
    min_agents_per_part: int = Field(
        default=MIN_AGENTS,
        ge=1,
        le=10**9,
        exclude_if=lambda value: value == MIN_AGENTS,
        description="Fewest agents in each part of the split.",
    )
    min_effective_agents: float = Field(
        default=MIN_EFFECTIVE_AGENTS,
        ge=1.0,
        le=1e9,
        exclude_if=lambda value: value == MIN_EFFECTIVE_AGENTS,
        description="Fewest equal agents that each part must be worth.",
    )
    warm_start: bool = Field(
        default=False,
        exclude_if=lambda value: not value,
        description="Whether to learn on from the version in service, instead of from the beginning.",
    )
    warm_epochs: int = Field(
        default=_WARM_EPOCHS,
        ge=1,
        le=10_000,
        exclude_if=lambda value: value == _WARM_EPOCHS,
        description="Most passes over the training rows after a warm start.",
    )
    warm_rate: float = Field(
        default=_WARM_RATE,
        gt=0.0,
        le=1.0,
        exclude_if=lambda value: value == _WARM_RATE,
        description="Peak learning rate after a warm start, as a share of the learning rate.",
    )
    replay_share: float = Field(
        default=_REPLAY_SHARE,
        ge=0.0,
        le=1.0,
        exclude_if=lambda value: value == _REPLAY_SHARE,
        description="Share of the training rows that were learned from before which a warm start learns from again.",
    )
    compare_with_full: bool = Field(
        default=False,
        exclude_if=lambda value: not value,
        description="Whether a warm start is compared with a training from the beginning, which then is done as well.",
    )
    n_resamples: int = Field(
        default=200, ge=20, le=100_000, description="Bootstrap resamples of the test agents behind each interval."
    )
    n_golden_rows: int = Field(
        default=256, ge=8, le=100_000, description="Inputs kept with the model to compare its exports against."
    )

    def changed(self, changes: Mapping[str, Any]) -> "TrainingConfig":
        """Take some values from elsewhere.

        Args:
            changes: Values by field name.

        Returns:
            A new configuration.

        Raises:
            ConfigError: When a name is unknown or a value out of its range; all of them at once.

        >>> TrainingConfig().changed({"batch_size": 0})
        Traceback (most recent call last):
        spots_ml.errors.ConfigError: training settings: batch_size is 0: Input should be greater than or equal to 1
        """
        return _checked({**self.model_dump(), **changes}, "training settings")

    @property
    def split_rules(self) -> SplitRules:
        """How rows are split."""
        return SplitRules(
            max_agent_share=self.max_agent_share,
            max_rows_per_pair=self.max_rows_per_pair,
            min_agents=self.min_agents_per_part,
            min_effective_agents=self.min_effective_agents,
        )

    @property
    def after_warm_start(self) -> "TrainingConfig":
        """The recipe of what follows a warm start: fewer passes, at a lower rate."""
        return self.model_copy(
            update={"max_epochs": self.warm_epochs, "learning_rate": self.learning_rate * self.warm_rate}
        )

    def digest(self) -> str:
        """Identify the recipe.

        Returns:
            SHA-256 of all fields; rules of the split and of a warm start only where they are not the defaults, since
            recipes older than these say nothing about them (what a model was split by stands in its document).
        """
        return digest_json(self.model_dump(mode="json"))


def load_profile(path: Path) -> TrainingConfig:
    """Read a training profile.

    Args:
        path: YAML, a mapping of field names to values; what it leaves out keeps its default. It may be empty.

    Returns:
        The configuration.

    Raises:
        ConfigError: When the file is no such mapping, names unknown fields or has values out of range.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise_unless_missing(error, path)
        raise ConfigError(f"the training profile {path} cannot be read: {error}; expected a YAML file") from error
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise ConfigError(f"the training profile {path} is a {type(document).__name__}; expected names with values")
    return _checked({str(name): value for name, value in document.items()}, f"the training profile {path}")


def _checked(values: dict[str, Any], where: str) -> TrainingConfig:
    try:
        return TrainingConfig.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(_sentence(problem["loc"], problem) for problem in error.errors())
        raise ConfigError(f"{where}: {problems}") from error


def _sentence(location: tuple[int | str, ...], problem: Mapping[str, Any]) -> str:
    name = ".".join(map(str, location))
    if problem["type"] == "extra_forbidden":
        return f"{name} is unknown; expected some of {', '.join(TrainingConfig.model_fields)}"
    return f"{name} is {problem['input']!r}: {problem['msg']}"
