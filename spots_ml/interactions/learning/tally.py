"""Counts of a dataset that are kept up while its rows are written batch by batch."""

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.features.contract import FEATURES
from spots_ml.interactions.schema import OUTCOME_TYPES


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
