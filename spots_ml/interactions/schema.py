"""The columns of interactions: as read from a source (`INTERACTIONS`) and as accepted for training (`DATASET`).

Reading a source is in `export`, the rules a record must obey are in `validation`.
"""

from typing import Final

import pyarrow as pa

from spots_ml.features.contract import FEATURES, HISTORY_FEATURES, RAW_FEATURES

OUTCOME_TYPES: Final = ("positive", "neutral", "negative")

_TIME: Final = pa.timestamp("us", tz="UTC")

_LABEL_FIELDS: Final = (
    pa.field("formula_score", pa.float64(), metadata={"doc": "the app's formula score in [0, 1]"}),
    pa.field("is_called", pa.bool_(), metadata={"doc": "whether the app called the agent"}),
    pa.field("outcome_type", pa.string(), metadata={"doc": "positive, neutral, negative; null: not labelled"}),
    pa.field("outcome_score", pa.float64(), metadata={"doc": "in [0, 1]; null: not labelled"}),
    pa.field("outcome_at", _TIME, metadata={"doc": "when the outcome arrived (UTC); null: unknown"}),
    pa.field(
        "first_outcome_at",
        _TIME,
        metadata={"doc": "when the first outcome arrived that this one corrects (UTC); null: it is the first"},
    ),
)
_WHO_WHEN_FIELDS: Final = (
    pa.field("position", pa.int64(), nullable=False, metadata={"doc": "0-based position in the source"}),
    pa.field("agent_id", pa.string(), metadata={"doc": "pseudonymous; null: unknown, counts as an agent of its own"}),
    pa.field("opportunity_id", pa.string()),
    pa.field("scored_at", _TIME, metadata={"doc": "when the pair was scored (UTC); null: unknown"}),
)

INTERACTIONS: Final = pa.schema(
    [
        *_WHO_WHEN_FIELDS,
        *(pa.field(name, pa.float64()) for name in RAW_FEATURES),
        *_LABEL_FIELDS,
        pa.field("record", pa.string(), metadata={"doc": "the record's text when it could not be read into columns"}),
        pa.field("problems", pa.list_(pa.string()), metadata={"doc": "reason codes found while reading; null: none"}),
    ]
)
"""Interactions as they came: nothing corrected, nothing dropped; a null feature is unknown."""

DATASET: Final = pa.schema(
    [
        *_WHO_WHEN_FIELDS,
        *(pa.field(name, pa.float32()) for name in FEATURES),
        *(pa.field(name, pa.float32(), nullable=False) for name in HISTORY_FEATURES),
        *_LABEL_FIELDS,
    ]
)
"""Accepted interactions: the 39 contract features (null: unknown) and the 6 point-in-time history features."""

QUARANTINE: Final = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False, metadata={"doc": "0-based position in the source"}),
        pa.field("reasons", pa.list_(pa.string()), nullable=False, metadata={"doc": "reason codes, sorted"}),
        pa.field(
            "details",
            pa.list_(pa.string()),
            nullable=False,
            metadata={
                "doc": "keys and values that the reasons are about, shortened, such as 'wrong_type: user_id = 7'"
            },
        ),
        pa.field("record", pa.string(), nullable=False, metadata={"doc": "the record as JSON text"}),
    ]
)
"""Rejected interactions: where they stood, why, and what they said."""
