"""Arms: what decides about some of the agents. Which agent belongs to which one is in `assignment`.

Two arms always exist: the formula, for the app's group `formulaBased`, and the champion, for the group `hybrid`. In an
experiment challengers take a share of the hybrid group.
"""

from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True)
class Arm:
    """What decides about some of the agents.

    Attributes:
        id: Its name in the decision log and in everything that is measured.
        versions: Version by kind of model that is to answer; None: there is none.
        weight: Share of the neural score in the hybrid score, in [0, 1].
        share: Share of the agents of its group that are assigned to it, in [0, 1]: the formula has all of the group
            `formulaBased`, champion and challengers divide the group `hybrid`.
        experiment: Name of the experiment; None: outside of any.
        stage: Number of the experiment's stage, from 1; None: outside of any.
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
