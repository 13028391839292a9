"""What is known about a validated dataset: counts, kept up while its rows are written batch by batch, reasons, digests.

The rows themselves are in `validation`'s files.
"""

from collections import Counter
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from spots_ml.digests import digest_json
from spots_ml.features.contract import FEATURES
from spots_ml.interactions.judging.weighing import Weighing
from spots_ml.interactions.kinds import SourceKind
from spots_ml.interactions.schema import OUTCOME_TYPES

_NOT_CONTENT: Final = {"digest", "description", "watermark", "weighing", "keys"}
"""What only names a dataset, tells of its reading, or follows from its rows."""


class DatasetReport(BaseModel):
    """A dataset's identity and what its validation found."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    digest: str = Field(description="SHA-256 over all other fields but description, watermark, weighing and keys.")
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
    keys: dict[str, int] | None = Field(
        default=None,
        exclude_if=lambda keys: keys is None,
        description="Reason code and key path -> rows, the most frequent ones; absent from older reports.",
    )
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
    weighing: Weighing | None = Field(
        default=None,
        exclude_if=lambda weighing: weighing is None,
        description="Who weighs how much, and shares in which nobody has more than a cap; absent from older reports.",
    )

    @property
    def n_broken(self) -> int:
        """Rows in which something is wrong: a repetition is set aside, too, but nothing is wrong with it."""
        return self.n_quarantined - self.reasons.get("duplicate", 0)

    @property
    def broken_share(self) -> float:
        """Share of broken rows, no agent above the cap; 1 where nothing was read."""
        if not self.n_read:
            return 1.0
        return self.weighing.broken_share if self.weighing else self.n_broken / self.n_read

    @property
    def label_coverage(self) -> float:
        """Share of accepted rows with an outcome, no agent above the cap; 0 where none is accepted."""
        if not self.n_accepted:
            return 0.0
        return self.weighing.label_coverage if self.weighing else self.n_labelled / self.n_accepted

    @property
    def n_counted_labels(self) -> int:
        """Labelled rows that count: of no agent more than the cap allows."""
        return self.weighing.n_labelled if self.weighing else self.n_labelled

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


class Tally:
    """Running counts over accepted rows."""

    def __init__(self) -> None:
        self.n_accepted = 0
        self.n_quarantined = 0
        self._n_labelled = 0
        self._n_without_agent = 0
        self._agents: set[str] = set()
        self._outcomes: Counter[str] = Counter(dict.fromkeys(OUTCOME_TYPES, 0))
        self._unknown = np.zeros(len(FEATURES), np.int64)
        self._scores: list[float] = []

    def add(self, rows: pa.RecordBatch, n_quarantined: int) -> None:
        """Count one batch.

        Args:
            rows: Accepted rows of schema `DATASET`.
            n_quarantined: Rejected rows of the same batch.
        """
        self.n_accepted += rows.num_rows
        self.n_quarantined += n_quarantined
        self._n_labelled += rows.num_rows - rows["outcome_score"].null_count
        self._n_without_agent += rows["agent_id"].null_count
        self._agents.update(pc.unique(rows["agent_id"].drop_null()).to_pylist())
        self._unknown += [rows[name].null_count for name in FEATURES]
        for entry in pc.value_counts(rows["outcome_type"].drop_null()).to_pylist():
            self._outcomes[entry["values"]] += entry["counts"]
        ends = pc.min_max(rows["outcome_score"]).as_py()
        self._scores += [value for value in ends.values() if value is not None]

    def fields(self) -> dict[str, Any]:
        """Give the counts.

        Returns:
            The fields of `DatasetReport` that are counted here, as JSON values.
        """
        n_rows = max(self.n_accepted, 1)
        return {
            "n_accepted": self.n_accepted,
            "n_quarantined": self.n_quarantined,
            "n_labelled": self._n_labelled,
            "n_agents": len(self._agents),
            "n_without_agent": self._n_without_agent,
            "outcomes": dict(self._outcomes),
            "outcome_score_range": [min(self._scores), max(self._scores)] if self._scores else None,
            "unknown_share": {
                name: count / n_rows for name, count in zip(FEATURES, self._unknown.tolist(), strict=True)
            },
        }
