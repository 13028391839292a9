"""`decision.json`: every name, number and threshold behind a calling score, as data for the app's code.

The rules themselves are in `features` and `scoring`; this only writes down what they use. That the document is complete
and right is proven by the kit's checkers: they know no number but those of this document, and must come to what the
project's own scorer says.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from spots_ml.features import derived, history
from spots_ml.features.contract import (
    CONTEXT_FEATURES,
    CONTRACT_DIGEST,
    HISTORY_FEATURES,
    TIMING_FEATURES,
    UNKNOWN_VALUE,
    VIBE_DIMENSIONS,
)
from spots_ml.interactions.reading.record_layout import FEATURE_GROUPS
from spots_ml.models.declared import ModelType, deciding_models, model_spec
from spots_ml.models.spec import Role
from spots_ml.release.certification.client_limits import INPUT_NAME, OUTPUT_NAME
from spots_ml.release.client_kit.published import PublishedModel
from spots_ml.requests.request_schema import TREND_BOOST_RANGE
from spots_ml.scoring import formula
from spots_ml.scoring.arms import BETWEEN_NAMES
from spots_ml.scoring.assignment import FORMULA_BASED, HYBRID, HYBRID_BELOW, PLACE_BITS, group_of, place_of
from spots_ml.scoring.decision import CALLED_FROM, OUTCOME_ABOVE, decide_calls
from spots_ml.scoring.fallback import REASON_TEXTS, RULE_WEIGHTS

KIND: Final = "spots-ml client kit"
_EDGES: Final = (
    # formula, neural, weight, P(positive), trend boost, whether the outcome filter is on
    (0.7, None, 0.0, 1.0, 0.0, True),
    (0.699999, None, 0.0, 1.0, 0.0, True),
    (0.9, 0.9, 0.5, 0.7, 0.0, True),
    (0.9, 0.9, 0.5, 0.700001, 0.0, True),
    (0.9, 0.9, 0.5, 0.75, 0.2, True),
    (1.0, 1.0, 0.5, 1.0, 0.2, True),
    (0.75, 1.0, 0.0, 0.875, -0.1, True),
    (0.5, None, 0.1, 0.0, 0.2, True),
    (0.9, 0.9, 0.5, 0.0, 0.0, False),
    (0.7, None, 0.1, 0.5, 0.0, False),
    (0.75, None, 0.1, 0.875, -0.1, False),
    (0.9, 0.9, 0.5, 0.2, 0.2, False),
)
"""Decisions at the edges of the rules; no two numbers that a runtime could round differently."""

AGENTS_AT_THE_EDGE: Final = ("agent-83", "agent-117", "agent-259", "agent-524", "agent-ß", "agent-é")
"""Ids whose first byte is 127, 128, 0 and 255, and two whose group is wrong when they are not encoded as UTF-8."""


def parity(models: Iterable[PublishedModel]) -> float:
    """Tell how far the app's numbers may be from ours, for every number of a golden line.

    Args:
        models: The versions of the kit.

    Returns:
        The largest tolerance among their certificates: 1e-6, or more where a model itself rounds more than that.
    """
    return max(model.tolerance for model in models)


def decision_document(
    models: Mapping[ModelType, PublishedModel], n_golden: Mapping[ModelType, int], *, n_history: int, n_assignment: int
) -> dict[str, Any]:
    """Write down everything that the app's decision depends on.

    Args:
        models: The two versions of the kit.
        n_golden: Golden lines per model.
        n_history: Golden lines for history.
        n_assignment: Golden lines for rollouts.

    Returns:
        A JSON document; equal for equal arguments.
    """
    return {
        "kind": KIND,
        "schema_version": 1,
        "contract_digest": CONTRACT_DIGEST,
        "parity": parity(models.values()),
        "models": {
            model_type: {
                "version": model.version,
                "weight": model.weight if model_spec(model_type).role is Role.NEURAL_SCORE else None,
                "filter_on": model.filter_on if model_spec(model_type).role is Role.OUTCOME_FILTER else None,
                "onnx_sha256": model.onnx_sha256,
                "manifest_sha256": model.manifest_sha256,
                "input": INPUT_NAME,
                "output": OUTPUT_NAME,
            }
            for model_type, model in models.items()
        },
        "golden_lines": dict(n_golden),
        "history_lines": n_history,
        "assignment_lines": n_assignment,
        "inputs": {model_type: list(model_spec(model_type).inputs) for model_type in models},
        "unknown_value": UNKNOWN_VALUE,
        "record_groups": FEATURE_GROUPS,
        "derivation": _derivation(),
        "history": _history(),
        "formula": _formula(),
        "outcome_rule": _outcome_rule(),
        "groups": _groups(),
        "rollouts": _rollouts(),
        "decision": {
            "outcome_above": OUTCOME_ABOVE,
            "called_from": CALLED_FROM,
            "trend_boost_range": list(TREND_BOOST_RANGE),
            "trend_boost_unknown": 0.0,
            "examples": [_decided(*edge) for edge in _EDGES],
        },
        "fallback_reasons": dict(REASON_TEXTS),
    }


def _derivation() -> dict[str, Any]:
    return {
        "dimensions": list(VIBE_DIMENSIONS),
        "matches": {
            "energy_match": "overall_energy",
            "community_match": "community_orientation",
            "novelty_match": "novelty_seeking",
        },
        "exploration_tendency": ["exploration_eagerness", "novelty_seeking"],
        "vibe_compatibility": {
            "dimensions": derived.DIMENSIONS_WEIGHT,
            "energy": derived.ENERGY_WEIGHT,
            "exploration": derived.EXPLORATION_WEIGHT,
            "social": derived.SOCIAL_WEIGHT,
        },
        "timing_alignment": {"mean_of_known": list(TIMING_FEATURES), "if_none_known": UNKNOWN_VALUE},
    }


def _history() -> dict[str, Any]:
    return {
        "if_unknown": dict(zip(HISTORY_FEATURES, history.NO_HISTORY, strict=True)),
        "interaction_count_cap": history.INTERACTION_COUNT_CAP,
        "recency_cap_days": history.RECENCY_CAP_DAYS,
        "activity_window_days": history.ACTIVITY_WINDOW_DAYS,
        "activity_cap": history.ACTIVITY_CAP,
        "time_since_last_positive_if_never_positive": 1.0,
    }


def _formula() -> dict[str, Any]:
    return {
        "score": {
            "vibe_compatibility": formula.COMPATIBILITY_WEIGHT,
            "life_betterment": formula.LIFE_BETTERMENT_WEIGHT,
            "meaningful_connection": formula.CONNECTION_WEIGHT,
            "context": formula.CONTEXT_WEIGHT,
            "timing": formula.TIMING_WEIGHT,
        },
        "life_betterment": {
            "trajectory_potential": formula.BETTERMENT_TRAJECTORY,
            "meaningful_connection": formula.BETTERMENT_CONNECTION,
            "positive_influence": formula.BETTERMENT_INFLUENCE,
            "fulfilment": formula.BETTERMENT_FULFILMENT,
        },
        "meaningful_connection": {
            "vibe_compatibility": formula.CONNECTION_COMPATIBILITY,
            "network_effects": formula.CONNECTION_NETWORK,
            "community_patterns": formula.CONNECTION_COMMUNITY,
            "liveliness": formula.CONNECTION_LIVELINESS,
        },
        "fulfilment": {
            "energy": formula.FULFILMENT_ENERGY,
            "exploration": formula.FULFILMENT_EXPLORATION,
            "social": formula.FULFILMENT_SOCIAL,
        },
        "context": {
            "far_below": formula.FAR_BELOW,
            "far_factor": formula.FAR_FACTOR,
            "near_above": formula.NEAR_ABOVE,
            "near_factor": formula.NEAR_FACTOR,
            "shares": {"journey_alignment": formula.JOURNEY_SHARE, "user_receptivity": formula.RECEPTIVITY_SHARE},
            "whole": ["opportunity_availability"],
        },
        "timing": {
            "shares": {
                "optimal_time_of_day": formula.TIME_OF_DAY_SHARE,
                "optimal_day_of_week": formula.DAY_OF_WEEK_SHARE,
                "user_patterns": formula.USER_PATTERNS_SHARE,
            },
            "whole": ["opportunity_timing"],
        },
    }


def _outcome_rule() -> dict[str, Any]:
    return {
        "weights": RULE_WEIGHTS,
        "context_mean": list(CONTEXT_FEATURES),
        "timing_mean": list(TIMING_FEATURES),
    }


def _groups() -> dict[str, Any]:
    return {
        "digest": "sha256",
        "of": "agent_id as UTF-8",
        "byte": 0,
        "hybrid_below": HYBRID_BELOW,
        "below": HYBRID,
        "else": FORMULA_BASED,
        "unknown_agent": FORMULA_BASED,
        "examples": {agent_id: group_of(agent_id) for agent_id in AGENTS_AT_THE_EDGE},
    }


def _rollouts() -> dict[str, Any]:
    return {
        "digest": "sha256",
        "of": "the salt, a colon and agent_id, as UTF-8; half of a surrogate pair is U+FFFD",
        "between_salt_and_agent": ":",
        "bits": PLACE_BITS,
        "treated": "an agent of the group that decides by the models, whose place is below the traffic",
        "models_in_order": [spec.name for spec in deciding_models()],
        "between_names": BETWEEN_NAMES,
        "examples": [
            {"agent_id": agent_id, "salt": "a", "place": place_of(agent_id, "a")} for agent_id in AGENTS_AT_THE_EDGE
        ],
    }


def _decided(
    formula_score: float,
    neural: float | None,
    weight: float,
    probability: float,
    trend_boost: float,
    filter_on: bool,
) -> dict[str, Any]:
    decision = decide_calls(
        np.array([formula_score]),
        np.array([np.nan if neural is None else neural]),
        np.array([probability]),
        weight=np.array([weight]),
        trend_boost=trend_boost,
        filter_on=filter_on,
    )
    return {
        "formula_score": formula_score,
        "neural_score": neural,
        "weight": weight,
        "outcome_probability": probability,
        "trend_boost": trend_boost,
        "filter_on": filter_on,
        "hybrid_score": float(decision.hybrid_score[0]),
        "blocked": bool(decision.blocked[0]),
        "score": float(decision.score[0]),
        "called": bool(decision.called[0]),
    }
