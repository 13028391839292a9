"""Refusals by a gate as answers: what was refused, with what, by which gate, and the log in which they are kept.

What a refusal means for the next training is in `retraining`; who makes them is `pipeline.refusing`.
"""

from datetime import datetime
from typing import Annotated, Final, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from spots_ml.interactions.kinds import StoreKind
from spots_ml.models.declared import ModelType

Step = Literal["validated_dataset", "trained_model", "onnx_model", "latency_benchmark", "registered_version"]
"""The steps of the chain at which a gate may refuse, in their order."""

STEPS_OF_THE_MACHINE: Final[tuple[Step, ...]] = ("onnx_model", "latency_benchmark")
"""Their gates judge the machine as well: its runtimes, its speed. Their answer may change without anything of ours."""

LONGEST_SENTENCE: Final = 4_000
"""Characters of a gate's sentence that are kept."""

_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_SENTENCE)]


class Recipe(BaseModel):
    """With what everything up to a step is made, beside the data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code_digest: _Digest = Field(description="SHA-256 of the code that decides, and of the versions of its libraries.")
    config_digest: _Digest = Field(description="SHA-256 of the settings that decide.")


class Refused(BaseModel):
    """One refusal: which gate said no to what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_type: ModelType
    store: StoreKind = Field(description="Kind of the store that was configured.")
    step: Step
    gate: _Text
    sentence: _Text = Field(description="What the gate found, what it expected, what to do.")
    snapshot_digest: _Digest = Field(description="The interactions that were read.")
    dataset_digest: _Digest | None = Field(description="What was made of them; null: no dataset was made.")
    watermark: str | None = Field(description="How far labels had arrived in the store; null: they came of no store.")
    recipe: Recipe
    run_id: str = Field(description="Who asked, such as a run.")


class KeptRefusal(Refused):
    """A refusal as a log keeps it."""

    number: int = Field(ge=1, description="Its place in the log, given by the store; later ones have higher numbers.")
    refused_at: datetime = Field(description="When, by the platform's clock (UTC); for people, and for waits.")


class RefusalLog(Protocol):
    """Keeps refusals; it only grows."""

    def keep_refusal(self, refused: Refused, *, now: datetime) -> None:
        """Keep a refusal under the next number.

        Args:
            refused: What was refused.
            now: The present, with a time zone.

        Raises:
            InputError: When the present has no zone.
        """
        ...

    def last_refusals(self, model_type: ModelType, *, limit: int = 100) -> tuple[KeptRefusal, ...]:
        """Read the last refusals of a model.

        Args:
            model_type: Which model.
            limit: How many at most, 1 to 1,000.

        Returns:
            The newest first, by their numbers; possibly none.

        Raises:
            ArtifactError: When one is not what it was when it was kept.
        """
        ...
