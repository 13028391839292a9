"""Verdicts: what a gate found, as data that travels in the manifest. The registry refuses what lacks them.

Gates live where they are measured (`training`, `release`); which verdicts a version needs is `registry`'s business.
"""

from pydantic import BaseModel, ConfigDict, Field


class Verdict(BaseModel):
    """The outcome of one gate."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    gate: str = Field(description="Name of the gate, e.g. 'valid_dataset', 'certified'.")
    passed: bool = Field(description="True only when everything was measured and within its threshold.")
    measured: dict[str, float] = Field(description="What was measured; units in the keys.")
    required: dict[str, float] = Field(description="The thresholds; units in the keys. Empty means: none, refused.")
    message: str = Field(description="One sentence with the numbers, for a person.")
