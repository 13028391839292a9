"""What a declaration of a kind of model says. It is data: names of things, never the things themselves.

The code that implements a loss, a rival or a role keeps a table of its own, and looks there for what the declaration
names: how a target is assembled is in `interactions.learning.dataset`, how a network learns, is calibrated and judged
in `training`, what a decision makes of it in `scoring`. By which margins a rival is to be beaten is part of the recipe
that is recorded with every model: `training.config`.
"""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from spots_ml.errors import ConfigError
from spots_ml.features.contract import FEATURES, FEATURES_AND_HISTORY

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_LEAST_LAYERS: Final = 2
PHONE_LATENCY_LIMIT_US: Final = 100_000.0
"""Most microseconds that one row may take at p99 unless a declaration says otherwise (100 ms)."""


class Target(StrEnum):
    """What of a labelled interaction is predicted, in [0, 1]; all labelled rows have it."""

    OUTCOME_SCORE = "outcome_score"
    POSITIVE = "positive"

    @property
    def is_class(self) -> bool:
        """Whether it is 0 or 1 and nothing between."""
        return self is Target.POSITIVE


class Unit(StrEnum):
    """What an answer in [0, 1] means; decides which numbers say how good it is."""

    SCORE = "score"
    PROBABILITY = "probability"


class Loss(StrEnum):
    """What training makes small."""

    CROSS_ENTROPY = "cross_entropy"


class Calibration(StrEnum):
    """What is done about the network's promises after training."""

    NONE = "none"
    PLATT = "platt"


class Rival(StrEnum):
    """A simpler predictor of the same rows; the value is its name in documents.

    `FORMULA` is the app's own, computed from the features, which is what is blended with the network. A source may also
    bring scores along, of whatever formula wrote its records: `RECORDED_SCORE`, there where every row has one.
    """

    CONSTANT = "constant"
    FORMULA = "formula"
    RECORDED_SCORE = "recorded_score"
    RIDGE = "ridge"
    LOGISTIC = "logistic"
    GRADIENT_BOOSTING = "gradient_boosting"


class Demand(StrEnum):
    """What is asked of the network against a rival."""

    BEAT = "beat"
    COME_NEAR = "come_near"
    NOTHING = "nothing"


class Role(StrEnum):
    """What a decision makes of the answers. At most one kind has each of them; any number has none."""

    NEURAL_SCORE = "neural_score"
    OUTCOME_FILTER = "outcome_filter"
    NONE = "none"


class StandIn(StrEnum):
    """Who answers where the model does not; the value is what a person is told."""

    FORMULA = "the formula"
    OUTCOME_RULE = "the outcome rule"
    NOBODY = "nobody"


class Audience(StrEnum):
    """Who is given the model's file."""

    PHONE = "phone"
    SERVER = "server"


@dataclass(frozen=True)
class Headline:
    """The number that a version is known by and the gate compares.

    Attributes:
        metric: Its name among the numbers of the model's unit, such as `mse`.
        told: Its name for a person, such as `mean squared error`.
        smaller_is_better: Its direction.
    """

    metric: str
    told: str
    smaller_is_better: bool = True

    @property
    def direction(self) -> str:
        """The direction in words."""
        return "smaller is better" if self.smaller_is_better else "larger is better"


@dataclass(frozen=True)
class ModelSpec:
    """The declaration of one kind of model.

    Attributes:
        name: Its name in files, tables, asset keys and commands: lower case, digits and underscores.
        title: What its versions are called in a sentence, such as `calling-score`.
        answer: What its answer is called, such as `neural score`.
        inputs: Names of its inputs, in the order of the contract: the 39 features, or these and the six of the history.
        target: What it predicts.
        unit: What its answer means.
        hidden: Widths of the hidden layers, two or more.
        loss: What its training makes small.
        calibration: What happens to its answers after training.
        headline: The number it is known by.
        rivals: What it is compared with, and what is demanded against each.
        has_confidence: Whether it comes with a profile that says how much each of its answers may weigh.
        role: What a decision makes of its answers.
        stand_in: Who answers where it does not.
        audience: Who is given its file.
        initial_weight: Share of its answer in the hybrid score at registration, in [0, 1].
        trusted_weight: Share that it is given once it is fully trusted, at least the initial one.
        latency_limit_us: Most microseconds that one row may take at p99.

    Raises:
        ConfigError: When the declaration contradicts itself; every problem is told.
    """

    name: str
    title: str
    answer: str
    inputs: tuple[str, ...]
    target: Target
    unit: Unit
    hidden: tuple[int, ...]
    loss: Loss
    calibration: Calibration
    headline: Headline
    rivals: Mapping[Rival, Demand] = field(hash=False)
    has_confidence: bool
    role: Role
    stand_in: StandIn
    audience: Audience
    initial_weight: float = 0.1
    trusted_weight: float = 0.3
    latency_limit_us: float = PHONE_LATENCY_LIMIT_US

    def __post_init__(self) -> None:
        if problems := [told for told, holds in self._rules().items() if not holds]:
            raise ConfigError(f"the declaration of the model {self.name!r}: {'; '.join(problems)}")

    def _rules(self) -> dict[str, bool]:
        return {
            "its name is not lower case letters, digits and underscores": bool(_NAME.fullmatch(self.name)),
            "its inputs are neither the features nor the features and the history, in the order of the contract": (
                self.inputs in (FEATURES, FEATURES_AND_HISTORY)
            ),
            f"it has fewer than {_LEAST_LAYERS} hidden layers, or an empty one": (
                len(self.hidden) >= _LEAST_LAYERS and min(self.hidden) > 0
            ),
            "nothing is demanded of it against any rival": bool(self.must_beat),
            "Platt's calibration needs a target that is a class": (
                self.calibration is not Calibration.PLATT or self.target.is_class
            ),
            "a confidence profile needs the 39 features as inputs and the outcome score as target": (
                not self.has_confidence or (self.inputs == FEATURES and self.target is Target.OUTCOME_SCORE)
            ),
            f"its weight {self.initial_weight:g} is not in [0, 1]": 0.0 <= self.initial_weight <= 1.0,
            f"its weight when trusted, {self.trusted_weight:g}, is not from {self.initial_weight:g} to 1": (
                self.initial_weight <= self.trusted_weight <= 1.0
            ),
            f"its latency limit {self.latency_limit_us:g} is not above 0": self.latency_limit_us > 0.0,
        }

    @property
    def n_inputs(self) -> int:
        """Number of inputs, 39 or 45."""
        return len(self.inputs)

    @property
    def sees_history(self) -> bool:
        """Whether the six history features are among its inputs."""
        return self.inputs == FEATURES_AND_HISTORY

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases of its network."""
        widths = (self.n_inputs, *self.hidden, 1)
        return sum((n_in + 1) * n_out for n_in, n_out in itertools.pairwise(widths))

    @property
    def shipped_weights(self) -> tuple[float, ...]:
        """The weights at which its answer may be blended with the formula, the one at registration first."""
        return tuple(dict.fromkeys((self.initial_weight, self.trusted_weight)))

    @property
    def must_beat(self) -> tuple[Rival, ...]:
        """The rivals that its test error has to lie below."""
        return self._rivals(Demand.BEAT)

    @property
    def must_come_near(self) -> tuple[Rival, ...]:
        """The rivals that it may lie behind a little; the linear one first."""
        return self._rivals(Demand.COME_NEAR)

    def _rivals(self, demand: Demand) -> tuple[Rival, ...]:
        return tuple(rival for rival, asked in self.rivals.items() if asked is demand)
