"""The feature contract between the app and every model: 39 inputs, or 45 with the history features, in this order.

Names, order, range and the rules for derived slots live here and nowhere else; `CONTRACT_DIGEST` identifies them in
datasets, models, ONNX metadata and manifests. How derived and history features are computed is in `derived` and
`history`.
"""

from typing import Final, Literal, get_args

from spots_ml.digests import digest_json
from spots_ml.errors import ContractError

ModelType = Literal["calling_score", "outcome"]
MODEL_TYPES: Final[tuple[ModelType, ...]] = get_args(ModelType)

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
"""The 39 inputs of the calling-score model; the position in this tuple is the index in the contract."""

UNKNOWN_VALUE: Final = 0.5
"""What the app feeds for a value that is truly unknown. Inside the pipeline unknown is null (NaN) until the model."""

DERIVATION_VERSION: Final = 1
"""Raised whenever the rule for a derived or history feature changes: it is part of the digest."""

_INPUT_NAMES: Final[dict[ModelType, tuple[str, ...]]] = {
    "calling_score": FEATURES,
    "outcome": (*FEATURES, *HISTORY_FEATURES),
}

CONTRACT_DIGEST: Final = digest_json(
    {
        "inputs": {model: list(names) for model, names in _INPUT_NAMES.items()},
        "dtype": "float32",
        "range": [0.0, 1.0],
        "unknown_value": UNKNOWN_VALUE,
        "derivation_version": DERIVATION_VERSION,
    }
)
"""SHA-256 of the whole contract."""


def input_names(model_type: ModelType) -> tuple[str, ...]:
    """Name the inputs of a model in contract order.

    Args:
        model_type: `calling_score` or `outcome`.

    Returns:
        39 names for the calling-score model, 45 for the outcome model.

    Raises:
        ContractError: When there is no such model type.

    >>> input_names("outcome")[38:40]
    ('timing_alignment', 'past_positive_rate')
    """
    if model_type not in _INPUT_NAMES:
        raise ContractError(f"model type {model_type!r} is unknown; expected one of {', '.join(MODEL_TYPES)}")
    return _INPUT_NAMES[model_type]


def n_inputs(model_type: ModelType) -> int:
    """Count the inputs of a model.

    Args:
        model_type: `calling_score` or `outcome`.

    Returns:
        39 or 45.

    >>> n_inputs("calling_score"), n_inputs("outcome")
    (39, 45)
    """
    return len(input_names(model_type))
