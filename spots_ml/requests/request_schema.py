"""The columns of score requests, whatever they are read from (`requests`), and the keys that only a request may have.

A request is a record in the app's layout (`record_layout`) that asks for a score: its labels may be absent and are
never looked at, and it may say a few things more. The rules its values must obey are in `judging`.
"""

from typing import Final

import pyarrow as pa

from spots_ml.features.contract import HISTORY_FEATURES, RAW_FEATURES
from spots_ml.interactions.schema import INTERACTIONS

HISTORY_KEY: Final = "history_features"
"""Key of the object that brings all six history features along; any of them may be null."""
EXTRA_NUMBERS: Final = ("trend_boost", "trajectory_potential", "positive_influence")
"""Keys of numbers that are not among the features; null or absent: unknown."""
TREND_BOOST_RANGE: Final = (-0.1, 0.2)
"""Least and greatest trend boost."""
LABEL_KEYS: Final = (
    "formula_calling_score",
    "formula_is_called",
    "is_called",
    "outcome_type",
    "outcome_score",
    "outcome_timestamp",
)
"""Keys that say what became of an interaction: allowed in a request, never looked at."""

_EXTRA_DOCS: Final = {
    "trend_boost": "in [-0.1, 0.2]; null: 0",
    "trajectory_potential": "in [0, 1]; null: unknown",
    "positive_influence": "in [0, 1]; null: unknown",
}

REQUESTS: Final = pa.schema(
    [
        *(INTERACTIONS.field(name) for name in ("position", "agent_id", "opportunity_id", "scored_at")),
        *(INTERACTIONS.field(name) for name in RAW_FEATURES),
        *(
            pa.field(name, pa.float64(), metadata={"doc": "in [0, 1]; null: served from the store"})
            for name in HISTORY_FEATURES
        ),
        *(pa.field(name, pa.float64(), metadata={"doc": _EXTRA_DOCS[name]}) for name in EXTRA_NUMBERS),
        *(INTERACTIONS.field(name) for name in ("record", "problems")),
    ]
)
"""Score requests as they came: nothing corrected, nothing dropped; a null feature is unknown."""

ANSWER_COLUMNS: Final = (
    "formula_score",
    "neural_score",
    "outcome_probability",
    "score",
    "called",
    "group",
    "version",
    "outcome_version",
    "arm",
    "weight",
    "blocked",
    "explored",
    "propensity",
    "fallback",
    "decided_at",
    "from_log",
    "n_unknown",
    "refused",
)
"""The columns that an answer adds to a request (`scoring.answering`): a file of answers can be asked again."""
