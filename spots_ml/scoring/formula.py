"""The app's hand-written calling score, with its breakdown: what every model is compared with.

The simpler score that generated data follows is `interactions.generators.simple_score`; hybrid blending and
the decision to call are not here.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from spots_ml.features.contract import FEATURES, UNKNOWN_VALUE
from spots_ml.features.derived import exploration_agreement
from spots_ml.interactions.generators.simple_score import simple_score

__all__ = ["CALLED_FROM", "FormulaScore", "formula_score", "simple_score"]

CALLED_FROM: Final = 0.70
"""Least calling score at which the app calls."""

COMPATIBILITY_WEIGHT: Final = 0.40
LIFE_BETTERMENT_WEIGHT: Final = 0.30
CONNECTION_WEIGHT: Final = 0.15
CONTEXT_WEIGHT: Final = 0.10
TIMING_WEIGHT: Final = 0.05

BETTERMENT_TRAJECTORY: Final = 0.40
BETTERMENT_CONNECTION: Final = 0.30
BETTERMENT_INFLUENCE: Final = 0.20
BETTERMENT_FULFILMENT: Final = 0.10

CONNECTION_COMPATIBILITY: Final = 0.40
CONNECTION_NETWORK: Final = 0.25
CONNECTION_COMMUNITY: Final = 0.20
CONNECTION_LIVELINESS: Final = 0.15

FULFILMENT_ENERGY: Final = 0.40
FULFILMENT_EXPLORATION: Final = 0.35
FULFILMENT_SOCIAL: Final = 0.25

NEAR_FROM: Final = 0.8
"""Proximity above which a place counts as near."""
FAR_BELOW: Final = 0.5
"""Proximity below which a place counts as far."""
NEAR_FACTOR: Final = 1.1
FAR_FACTOR: Final = 0.9


@dataclass(frozen=True)
class FormulaScore:
    """The formula's score of each row and the parts it is made of.

    Attributes:
        score: `(n_rows,)` float64 in [0, 1], the calling score.
        vibe_compatibility: `(n_rows,)` in [0, 1].
        life_betterment: `(n_rows,)` in [0, 1].
        meaningful_connection: `(n_rows,)` in [0, 1].
        context: `(n_rows,)` in [0, 1.1]: a near place lifts it by a tenth.
        timing: `(n_rows,)` in [0, 1].
    """

    score: np.ndarray
    vibe_compatibility: np.ndarray
    life_betterment: np.ndarray
    meaningful_connection: np.ndarray
    context: np.ndarray
    timing: np.ndarray


def formula_score(
    features: np.ndarray,
    *,
    trajectory_potential: float | np.ndarray = UNKNOWN_VALUE,
    positive_influence: float | np.ndarray = UNKNOWN_VALUE,
) -> FormulaScore:
    """Score rows as the app does.

    Args:
        features: `(n_rows, 39)` floats in [0, 1] in contract order, without NaN (unknown is 0.5).
        trajectory_potential: How much going there may change the agent's life, in [0, 1]; a number or
            `(n_rows,)`. Not among the features: 0.5, as the app has it when unknown.
        positive_influence: How good the opportunity's influence is, in [0, 1]; likewise.

    Returns:
        Score and breakdown; empty arrays for no rows.

    >>> formula_score(np.full((1, 39), 1.0)).score.round(3).tolist()
    [0.92]
    """
    columns = dict(zip(FEATURES, np.asarray(features, dtype=np.float64).T, strict=True))
    compatibility = columns["vibe_compatibility"]
    social = 1.0 - np.abs(columns["agent_social_preference"] - columns["opportunity_social_preference"])
    connection = (
        CONNECTION_COMPATIBILITY * compatibility
        + CONNECTION_NETWORK * columns["network_effects"]
        + CONNECTION_COMMUNITY * columns["community_patterns"]
        + CONNECTION_LIVELINESS
        * (columns["opportunity_overall_energy"] + columns["opportunity_social_preference"])
        / 2.0
    )
    fulfilment = (
        FULFILMENT_ENERGY * columns["energy_match"]
        + FULFILMENT_EXPLORATION * exploration_agreement(columns)
        + FULFILMENT_SOCIAL * social
    )
    betterment = (
        BETTERMENT_TRAJECTORY * trajectory_potential
        + BETTERMENT_CONNECTION * connection
        + BETTERMENT_INFLUENCE * positive_influence
        + BETTERMENT_FULFILMENT * fulfilment
    )
    context, timing = _context(columns), _timing(columns)
    score = (
        COMPATIBILITY_WEIGHT * compatibility
        + LIFE_BETTERMENT_WEIGHT * betterment
        + CONNECTION_WEIGHT * connection
        + CONTEXT_WEIGHT * context
        + TIMING_WEIGHT * timing
    )
    return FormulaScore(np.clip(score, 0.0, 1.0), compatibility, betterment, connection, context, timing)


def _context(columns: dict[str, np.ndarray]) -> np.ndarray:
    proximity = columns["location_proximity"]
    distance = np.where(proximity < FAR_BELOW, FAR_FACTOR, np.where(proximity > NEAR_FROM, NEAR_FACTOR, 1.0))
    context: np.ndarray = (
        distance
        * (0.8 + 0.2 * columns["journey_alignment"])
        * (0.7 + 0.3 * columns["user_receptivity"])
        * columns["opportunity_availability"]
    )
    return context


def _timing(columns: dict[str, np.ndarray]) -> np.ndarray:
    timing: np.ndarray = (
        (0.8 + 0.2 * columns["optimal_time_of_day"])
        * (0.8 + 0.2 * columns["optimal_day_of_week"])
        * (0.7 + 0.3 * columns["user_patterns"])
        * columns["opportunity_timing"]
    )
    return timing
