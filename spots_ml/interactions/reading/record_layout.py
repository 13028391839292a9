"""The keys of a record in the app's JSON export, and which column of `schema.INTERACTIONS` each one fills.

`records` reads records that follow this layout exactly, `broken_records` says what is wrong with the others.
"""

from typing import Final

from spots_ml.features.contract import (
    AGENT_VIBES,
    CONTEXT_FEATURES,
    MATCH_FEATURES,
    OPPORTUNITY_VIBES,
    TIMING_FEATURES,
    VIBE_DIMENSIONS,
)

ARRAY_NAME: Final = "training_data"
MAX_RECORD_BYTES: Final = 1 << 20
"""What a single record may take; one of the app takes some two thousand bytes."""

FEATURE_GROUPS: Final[dict[str, dict[str, str]]] = {
    "user_vibe_dimensions": dict(zip(VIBE_DIMENSIONS, AGENT_VIBES, strict=True)),
    "spot_vibe_dimensions": dict(zip(VIBE_DIMENSIONS, OPPORTUNITY_VIBES, strict=True)),
    "context_features": {name: name for name in CONTEXT_FEATURES},
    "timing_features": {name: name for name in TIMING_FEATURES},
}
"""Group key -> feature key -> column.

Every one of these keys must be present; null says that a value is unknown.
"""

PLACEHOLDERS: Final[dict[str, tuple[str, ...]]] = {
    "user_vibe_dimensions": (),
    "spot_vibe_dimensions": (),
    "context_features": tuple(f"context_feature_{slot}" for slot in (7, 8, 9, 10)),
    "timing_features": ("timing_feature_5",),
}
"""Noise that older records carry in the slots of derived features: allowed, never looked at."""

DERIVED_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "user_vibe_dimensions": (),
    "spot_vibe_dimensions": (),
    "context_features": MATCH_FEATURES,
    "timing_features": ("timing_alignment",),
}
"""Derived slots that the app may send: compared with what the pipeline derives, never used."""

REPORT_KEYS: Final = (
    *("arm", "model_version", "outcome_model_version", "weight", "neural_score", "calling_score", "propensity"),
    *("fallback", "experiment", "stage", "reported_at"),
)
"""What a phone reports of its decision; `scoring.decision_log.told_reports` reads it."""

IGNORED_KEYS: Final = ("id", "created_at", "updated_at", "formula_breakdown", "outcome_id", "metadata", *REPORT_KEYS)
"""Record keys that are allowed and carry nothing a model may see."""

TEXT_KEYS: Final = {"agent_id": "agent_id", "user_id": "agent_id", "opportunity_id": "opportunity_id"}
TIME_KEYS: Final = {"timestamp": "scored_at", "outcome_timestamp": "outcome_at"}
CALLED_KEYS: Final = ("formula_is_called", "is_called")
"""One of these must be present; `user_id` and `is_called` are the names that older records use. In a record that tells
any of `REPORT_KEYS`, `is_called` beside `formula_is_called` is what the phone decided, and may be another."""
NUMBER_KEYS: Final = {"formula_calling_score": "formula_score", "outcome_score": "outcome_score"}
REQUIRED_KEYS: Final = (*FEATURE_GROUPS, "formula_calling_score")
OPTIONAL_KEYS: Final = (
    *TEXT_KEYS,
    *TIME_KEYS,
    *CALLED_KEYS,
    "outcome_type",
    "outcome_score",
    *IGNORED_KEYS,
)
