"""Challengers: versions that decide for a share of the hybrid group while they are rolled out.

What a scorer and a phone have to know of a rollout, and nothing of how it goes on; who is in the share is said in
`assignment`.
"""

from dataclasses import dataclass
from typing import Final

from spots_ml.errors import ConfigError

MAX_STAGE: Final = 9
"""The last stage a rollout may have: one digit tells it (see `arms.stage_digits`)."""


@dataclass(frozen=True)
class Challenger:
    """One version of one model that is rolled out.

    Attributes:
        experiment: Name of its rollout.
        stage: The rollout's stage, 1 to `MAX_STAGE`.
        share: Of the hybrid group that is treated, in [0, 1].
        salt: Of the hash that places agents; the rollout's own, never changed and never given to another one.
        model_type: The kind of model of which another version answers those that are treated.
        version: Its name; the champion's own where another weight is tried.
        weight: Share of the neural score in the hybrid score of those that are treated, in [0, 1]; of no use for
            another kind.
    """

    experiment: str
    stage: int
    share: float
    salt: str
    model_type: str
    version: str
    weight: float

    def __post_init__(self) -> None:
        """Check what a draw depends on.

        Raises:
            ConfigError: When the salt is empty, or a number is out of its range.
        """
        for name, value in (("weight", self.weight), ("share", self.share)):
            if not 0.0 <= value <= 1.0:
                raise ConfigError(f"the {name} of {self.experiment} is {value:g}; expected 0 to 1")
        if not self.salt:
            raise ConfigError(f"{self.experiment} has no salt; give each rollout one of its own, and keep it")
        if not 1 <= self.stage <= MAX_STAGE:
            raise ConfigError(f"{self.experiment} is in stage {self.stage}; expected 1 to {MAX_STAGE}")
