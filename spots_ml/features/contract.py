"""The feature contract between the app and every model: 39 inputs, or 45 with the history features, in this order.

Names, order, range and the rules for derived slots live here and nowhere else; `CONTRACT_DIGEST` identifies them in
datasets, models, ONNX metadata and manifests. How derived and history features are computed is in `derived` and
`history`.
"""

from typing import Final

from spots_ml.digests import digest_json

VIBE_DIMENSIONS: Final = (
    "exploration_eagerness",
    "community_orientation",
    "location_adventurousness",
    "authenticity_preference",
    "trust_network_reliance",
    "temporal_flexibility",
    "energy_preference",
    "novelty_seeking",
    "value_orientation",
    "crowd_tolerance",
    "social_preference",
    "overall_energy",
)
CONTEXT_FEATURES: Final = (
    "location_proximity",
    "journey_alignment",
    "user_receptivity",
    "opportunity_availability",
    "network_effects",
    "community_patterns",
)
MATCH_FEATURES: Final = ("vibe_compatibility", "energy_match", "community_match", "novelty_match")
TIMING_FEATURES: Final = (
    "optimal_time_of_day",
    "optimal_day_of_week",
    "user_patterns",
    "opportunity_timing",
)
HISTORY_FEATURES: Final = (
    "past_positive_rate",
    "past_negative_rate",
    "average_engagement",
    "interaction_count",
    "time_since_last_positive",
    "activity_level",
)

AGENT_VIBES: Final = tuple(f"agent_{name}" for name in VIBE_DIMENSIONS)
OPPORTUNITY_VIBES: Final = tuple(f"opportunity_{name}" for name in VIBE_DIMENSIONS)

RAW_FEATURES: Final = (*AGENT_VIBES, *OPPORTUNITY_VIBES, *CONTEXT_FEATURES, *TIMING_FEATURES)
"""The 34 features a record must bring along; all others are computed from them."""

DERIVED_FEATURES: Final = (*MATCH_FEATURES, "timing_alignment")
"""Slots 30-33 and 38: always derived from the raw features, never read from a placeholder."""

FEATURES: Final = (
    *AGENT_VIBES,
    *OPPORTUNITY_VIBES,
    *CONTEXT_FEATURES,
    *MATCH_FEATURES,
    *TIMING_FEATURES,
    "timing_alignment",
)
"""What is known of a pair at the moment of scoring; the position in this tuple is the index in the contract."""

FEATURES_AND_HISTORY: Final = (*FEATURES, *HISTORY_FEATURES)
"""The same 39 and after them the six of the agent's history: the other row that a model may be fed."""

UNKNOWN_VALUE: Final = 0.5
"""What the app feeds for a value that is truly unknown. Inside the pipeline unknown is null (NaN) until the model."""

DERIVATION_VERSION: Final = 1
"""Raised whenever the rule for a derived or history feature changes: it is part of the digest."""

CONTRACT_DIGEST: Final = digest_json(
    {
        # The two rows of inputs are called after the first models that were fed them.
        "inputs": {"calling_score": list(FEATURES), "outcome": list(FEATURES_AND_HISTORY)},
        "dtype": "float32",
        "range": [0.0, 1.0],
        "unknown_value": UNKNOWN_VALUE,
        "derivation_version": DERIVATION_VERSION,
    }
)
"""SHA-256 of the whole contract."""
