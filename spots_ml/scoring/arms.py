"""Arms: what decides about some of the agents. Which agent belongs to which one is in `assignment`.

Two arms always exist: the formula, for the app's group `formulaBased`, and the champion, for the group `hybrid`. While
versions are rolled out, each rollout draws the agents of the hybrid group for itself, so that there is an arm for every
set of rollouts that an agent may be treated in: the champion's is treated in none, and is the control of all of them.

What the log says of an arm tells what was drawn: `experiment` names every rollout that the agent took part in, treated
or not; `stage` has one decimal digit for each of them, in that order; the id of the arm names those that treated it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from spots_ml.errors import ConfigError
from spots_ml.models.declared import model_in
from spots_ml.models.spec import Role

FORMULA_ARM: Final = "formula"
"""Id of the arm of the group `formulaBased`."""

FORMULA_POSITION: Final = 0
CHAMPION_POSITION: Final = 1
"""Where these two stand among the arms of a scorer; challengers follow."""

_NO_VERSION: Final = "none"
BETWEEN_NAMES: Final = "+"
"""Between the names of rollouts."""


def arm_id(version: str | None) -> str:
    """Name the arm of a version that decides with its own weight and outside of any experiment.

    Args:
        version: Of the model whose answer is blended with the formula; None: there is none.

    Returns:
        The id; challengers may have any other.

    >>> arm_id("v1.0-real"), arm_id(None)
    ('calling_score v1.0-real', 'calling_score none')
    """
    return f"{model_in(Role.NEURAL_SCORE).name} {version or _NO_VERSION}"


def joined(rollouts: Iterable[str]) -> str | None:
    """Name several rollouts in one text.

    Args:
        rollouts: Names in the order of the models that decide, the neural score's first.

    Returns:
        The names with a plus sign between them; None without any.

    >>> joined(["rollout-7"]), joined(["rollout-7", "rollout-3"]), joined([])
    ('rollout-7', 'rollout-7+rollout-3', None)
    """
    return BETWEEN_NAMES.join(rollouts) or None


def stage_digits(stages: Iterable[int]) -> int | None:
    """Tell the stages of several rollouts in one number.

    Args:
        stages: One for each rollout, 1 to `challengers.MAX_STAGE`, in the order of their names.

    Returns:
        One decimal digit for each; None without any.

    >>> stage_digits([2]), stage_digits([2, 1]), stage_digits([])
    (2, 21, None)
    """
    digits = "".join(map(str, stages))
    return int(digits) if digits else None


def stages_told(experiment: str | None, stage: int | None) -> dict[str, int]:
    """Read which rollouts drew an agent, and in which stage each was.

    Args:
        experiment: As a decision's field of that name.
        stage: As a decision's field of that name.

    Returns:
        Stage by name of the rollout, in the order in which they are named; empty outside of any.

    Raises:
        ConfigError: When there is not one digit for each name.

    >>> stages_told("rollout-7+rollout-3", 21), stages_told(None, None)
    ({'rollout-7': 2, 'rollout-3': 1}, {})
    """
    names = experiment.split(BETWEEN_NAMES) if experiment else []
    digits = [int(digit) for digit in str(stage)] if stage is not None else []
    if len(names) != len(digits):
        raise ConfigError(
            f"a decision of the experiment {experiment!r} is of the stage {stage}; expected one digit for each rollout"
        )
    return dict(zip(names, digits, strict=True))


def treating(arm: str, experiment: str | None) -> tuple[str, ...]:
    """Read which rollouts treated an agent, of those that drew it.

    Args:
        arm: Id of the arm that decided.
        experiment: As a decision's field of that name.

    Returns:
        Names; empty for the champion's and the formula's arm.

    >>> treating("rollout-3", "rollout-7+rollout-3"), treating("calling_score v1.0-real", "rollout-7")
    (('rollout-3',), ())
    """
    drawn = experiment.split(BETWEEN_NAMES) if experiment else []
    return tuple(name for name in arm.split(BETWEEN_NAMES) if name in drawn)


@dataclass(frozen=True)
class Arm:
    """What decides about some of the agents.

    Attributes:
        id: Its name in the decision log and in everything that is measured.
        versions: Version by kind of model that is to answer; None: there is none.
        weight: Share of the neural score in the hybrid score, in [0, 1].
        share: Share of the agents of its group that are assigned to it, in [0, 1]: the formula has all of the group
            `formulaBased`, the others divide the group `hybrid`.
        experiment: Names of the rollouts that drew the agent, treated or not, see `joined`; None: none did.
        stage: Their stages, see `stage_digits`; None: none did.
    """

    id: str
    versions: Mapping[str, str | None]
    weight: float
    share: float = 1.0
    experiment: str | None = None
    stage: int | None = None

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ConfigError: When the id is empty, or a number is out of its range.
        """
        for name, value in (("weight", self.weight), ("share", self.share)):
            if not 0.0 <= value <= 1.0:
                raise ConfigError(f"the {name} of {self.id} is {value:g}; expected 0 to 1")
        if not self.id or self.experiment == "" or (self.stage is not None and self.stage < 1):
            raise ConfigError(
                f"an arm has the id {self.id!r}, the experiment {self.experiment!r} and the stage {self.stage}; "
                "expected names that are not empty, and a number from 1"
            )


def by_row(arms: Sequence[Arm], position: np.ndarray, name: str, type_: pa.DataType) -> pa.Array:
    """Say of many rows what their arm says.

    Args:
        arms: The arms.
        position: `(n_rows,)` positions of the rows' arms.
        name: An attribute of an arm, or a kind of model for its version.
        type_: Its type.

    Returns:
        `(n_rows,)` values; null where the arm says None.
    """
    told = [arm.versions[name] if name in arm.versions else getattr(arm, name) for arm in arms]
    return pa.array(told, type_).take(pa.array(position, pa.int8()))
