"""How strictly interactions are validated, and how much data is enough.

Every number that a person may want to turn.
"""

from pydantic import BaseModel, ConfigDict, Field

from spots_ml.digests import digest_json


class ValidationConfig(BaseModel):
    """Thresholds of validation; unknown names are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    max_broken_share: float = Field(
        default=0.05,
        ge=0.0,
        le=1.0,
        description="Largest share of broken records that is still accepted, in [0, 1].",
    )
    clock_skew_s: int = Field(
        default=300, ge=0, le=86_400, description="How far, in seconds, a time may lie ahead of now."
    )
    positive_from: float = Field(
        default=0.7, gt=0.0, le=1.0, description="Outcome score from which an outcome is positive."
    )
    neutral_from: float = Field(
        default=0.4, ge=0.0, lt=1.0, description="Outcome score from which an outcome is not negative."
    )
    neutral_from_not_called: float = Field(
        default=0.3,
        ge=0.0,
        lt=1.0,
        description="The same where the agent was not called, where sources draw the line lower; between "
        "the two edges both types are accepted.",
    )

    def digest(self) -> str:
        """Identify the thresholds.

        Returns:
            SHA-256 of all fields.
        """
        return digest_json(self.model_dump(mode="json"))


class SufficiencyConfig(BaseModel):
    """How many labels are enough to train; unknown names are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    min_labelled: int = Field(default=1_000, ge=1, description="Fewest labelled interactions to train on, in rows.")
    recommended_labelled: int = Field(
        default=10_000, ge=1, description="Labelled interactions below which a warning is given, in rows."
    )
    min_label_coverage: float = Field(
        default=0.5, ge=0.0, le=1.0, description="Smallest share of accepted rows with an outcome, in [0, 1]."
    )
