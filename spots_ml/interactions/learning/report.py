"""What is known about a validated dataset.

Counts, reasons, digests. The rows themselves are in `validation`'s files.
"""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from spots_ml.digests import digest_json
from spots_ml.interactions.kinds import SourceKind

_NOT_CONTENT: Final = {"digest", "description", "watermark"}


class DatasetReport(BaseModel):
    """A dataset's identity and what its validation found."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    digest: str = Field(description="SHA-256 over all other fields but description and watermark.")
    snapshot_digest: str = Field(description="The snapshot that was validated.")
    kind: SourceKind = Field(description="Where the outcomes come from; the suffix of version names.")
    description: str = Field(description="One line about the source of the latest reading.")
    watermark: str | None = Field(description="Label arrival in the store at the latest reading; null: no store.")
    contract_digest: str = Field(description="The feature contract the rows were made for.")
    config_digest: str = Field(description="The thresholds in force.")
    accepted_sha256: str = Field(description="SHA-256 of accepted.parquet.")
    quarantine_sha256: str = Field(description="SHA-256 of quarantine.parquet.")
    n_read: int = Field(ge=0, description="Rows of the snapshot: accepted + quarantined.")
    n_accepted: int = Field(ge=0, description="Rows fit for training or scoring.")
    n_quarantined: int = Field(ge=0, description="Rows set aside, with reasons.")
    reasons: dict[str, int] = Field(description="Reason code -> rows; a row with two reasons counts twice.")
    n_labelled: int = Field(ge=0, description="Accepted rows with an outcome.")
    n_agents: int = Field(ge=0, description="Known agents among the accepted rows.")
    n_without_agent: int = Field(ge=0, description="Accepted rows without an agent; each counts as one of its own.")
    outcomes: dict[str, int] = Field(description="Outcome type -> accepted rows; all three types are listed.")
    outcome_score_range: tuple[float, float] | None = Field(
        description="Smallest and largest outcome score among accepted rows, in [0, 1]; null: none labelled."
    )
    unknown_share: dict[str, float] = Field(
        description="Feature -> share of accepted rows in which it is unknown, in [0, 1]; 0 for no rows."
    )

    @property
    def n_broken(self) -> int:
        """Rows in which something is wrong: a repetition is set aside, too, but nothing is wrong with it."""
        return self.n_quarantined - self.reasons.get("duplicate", 0)

    def computed_digest(self) -> str:
        """Recompute the digest from the other fields.

        Returns:
            What `digest` must be.
        """
        return content_digest(self.model_dump(mode="json"))


def content_digest(fields: dict[str, Any]) -> str:
    """Digest what identifies a dataset.

    Args:
        fields: The fields of a report as JSON values; those that say nothing about the content are left out.

    Returns:
        SHA-256.
    """
    return digest_json({name: value for name, value in fields.items() if name not in _NOT_CONTENT})
