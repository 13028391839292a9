"""The app's hand-written calling score, with its breakdown: what every model is compared with.

All components and weights are those of the app's formula (the calling score = 0.40 vibe compatibility + 0.30 life
betterment + 0.15 meaningful connection + 0.10 context + 0.05 timing). What follows from the score is in `decision`; the
simpler score that generated data follows is `interactions.generators.simple_score`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from spots_ml.features.contract import FEATURES, UNKNOWN_VALUE
from spots_ml.features.derived import exploration_agreement
from spots_ml.interactions.generators.simple_score import simple_score

__all__ = [
    "CALLED_FROM",
    "FormulaScore",
    "context_factor",
    "formula_score",
    "fulfilment",
    "life_betterment",
    "meaningful_connection",
    "score_columns",
    "simple_score",
    "timing_factor",
    "weighted_total",
]

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

NEAR_ABOVE: Final = float(np.float32(0.8))
"""Proximity above which a place counts as near: 0.8 as float32 has it, so that 0.8 itself is not near."""
FAR_BELOW: Final = 0.5
"""Proximity below which a place counts as far."""
NEAR_FACTOR: Final = 1.1
FAR_FACTOR: Final = 0.9

JOURNEY_SHARE: Final = 0.2
RECEPTIVITY_SHARE: Final = 0.3
TIME_OF_DAY_SHARE: Final = 0.2
DAY_OF_WEEK_SHARE: Final = 0.2
USER_PATTERNS_SHARE: Final = 0.3
"""How much of its factor a feature decides; the rest of the factor is 1 - share."""

Columns = Mapping[str, np.ndarray]
"""The 39 contract features by name, `(n_rows,)` float64 each, in [0, 1], without NaN."""


@dataclass(frozen=True)
class FormulaScore:
    """The formula's score of each row and the parts it is made of.

    Attributes:
        score: `(n_rows,)` float64 in [0, 1], the calling score.
        vibe_compatibility: `(n_rows,)` in [0, 1].
        life_betterment: `(n_rows,)` in [0, 1].
        meaningful_connection: `(n_rows,)` in [0, 1].
        fulfilment: `(n_rows,)` in [0, 1]; a part of life betterment.
        context: `(n_rows,)` in [0, 1.1]: a near place lifts it by a tenth.
        timing: `(n_rows,)` in [0, 1].
    """

    score: np.ndarray
    vibe_compatibility: np.ndarray
    life_betterment: np.ndarray
    meaningful_connection: np.ndarray
    fulfilment: np.ndarray
    context: np.ndarray
    timing: np.ndarray


def formula_score(
    features: np.ndarray,
    *,
    trajectory_potential: float | np.ndarray = UNKNOWN_VALUE,
    positive_influence: float | np.ndarray = UNKNOWN_VALUE,
) -> FormulaScore:
    """Score rows as the app does. Each row depends on itself alone, bit by bit.

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
    by_feature = np.array(np.asarray(features).T, dtype=np.float64, order="C")
    return score_columns(
        dict(zip(FEATURES, by_feature, strict=True)),
        trajectory_potential=trajectory_potential,
        positive_influence=positive_influence,
    )


def score_columns(
    columns: Columns, *, trajectory_potential: float | np.ndarray, positive_influence: float | np.ndarray
) -> FormulaScore:
    """Score rows that lie in columns already.

    Args:
        columns: The features by name.
        trajectory_potential: As `formula_score` takes it.
        positive_influence: Likewise.

    Returns:
        Score and breakdown; nothing in it shares memory with the columns.
    """
    compatibility = columns["vibe_compatibility"].copy()
    connection = meaningful_connection(columns)
    fulfilled = fulfilment(columns)
    betterment = life_betterment(connection, fulfilled, trajectory_potential, positive_influence)
    context, timing = context_factor(columns), timing_factor(columns)
    score = weighted_total(compatibility, betterment, connection, context, timing)
    return FormulaScore(score, compatibility, betterment, connection, fulfilled, context, timing)


def weighted_total(
    compatibility: np.ndarray,
    betterment: np.ndarray,
    connection: np.ndarray,
    context: np.ndarray,
    timing: np.ndarray,
) -> np.ndarray:
    """Weigh the five components.

    Args:
        compatibility: `(n_rows,)` in [0, 1].
        betterment: `(n_rows,)` in [0, 1].
        connection: `(n_rows,)` in [0, 1].
        context: `(n_rows,)` in [0, 1.1].
        timing: `(n_rows,)` in [0, 1].

    Returns:
        `(n_rows,)` the calling score, clamped to [0, 1].
    """
    total: np.ndarray = (
        COMPATIBILITY_WEIGHT * compatibility
        + LIFE_BETTERMENT_WEIGHT * betterment
        + CONNECTION_WEIGHT * connection
        + CONTEXT_WEIGHT * context
        + TIMING_WEIGHT * timing
    )
    clamped: np.ndarray = np.minimum(np.maximum(total, 0.0), 1.0)
    return clamped


def meaningful_connection(columns: Columns) -> np.ndarray:
    """Tell how much there is to share: compatibility, network, community and how lively the opportunity is.

    Args:
        columns: The features by name.

    Returns:
        `(n_rows,)` in [0, 1].
    """
    liveliness = (columns["opportunity_overall_energy"] + columns["opportunity_social_preference"]) / 2.0
    connection: np.ndarray = (
        CONNECTION_COMPATIBILITY * columns["vibe_compatibility"]
        + CONNECTION_NETWORK * columns["network_effects"]
        + CONNECTION_COMMUNITY * columns["community_patterns"]
        + CONNECTION_LIVELINESS * liveliness
    )
    return connection


def fulfilment(columns: Columns) -> np.ndarray:
    """Tell how well energy, exploration tendency and social preference of the two sides agree.

    Args:
        columns: The features by name.

    Returns:
        `(n_rows,)` in [0, 1].
    """
    social = 1.0 - np.abs(columns["agent_social_preference"] - columns["opportunity_social_preference"])
    fulfilled: np.ndarray = (
        FULFILMENT_ENERGY * columns["energy_match"]
        + FULFILMENT_EXPLORATION * exploration_agreement(columns)
        + FULFILMENT_SOCIAL * social
    )
    return fulfilled


def life_betterment(
    connection: np.ndarray,
    fulfilled: np.ndarray,
    trajectory_potential: float | np.ndarray,
    positive_influence: float | np.ndarray,
) -> np.ndarray:
    """Tell how much good going there may do.

    Args:
        connection: `(n_rows,)` in [0, 1], see `meaningful_connection`.
        fulfilled: `(n_rows,)` in [0, 1], see `fulfilment`.
        trajectory_potential: In [0, 1]; 0.5 if unknown.
        positive_influence: In [0, 1]; 0.5 if unknown.

    Returns:
        `(n_rows,)` in [0, 1].
    """
    betterment: np.ndarray = (
        BETTERMENT_TRAJECTORY * trajectory_potential
        + BETTERMENT_CONNECTION * connection
        + BETTERMENT_INFLUENCE * positive_influence
        + BETTERMENT_FULFILMENT * fulfilled
    )
    return betterment


def context_factor(columns: Columns) -> np.ndarray:
    """Multiply what the situation adds or takes: distance, journey, receptivity, availability.

    Args:
        columns: The features by name.

    Returns:
        `(n_rows,)` in [0, 1.1].
    """
    proximity = columns["location_proximity"]
    distance = np.where(proximity < FAR_BELOW, FAR_FACTOR, np.where(proximity > NEAR_ABOVE, NEAR_FACTOR, 1.0))
    context: np.ndarray = (
        distance
        * _share(JOURNEY_SHARE, columns["journey_alignment"])
        * _share(RECEPTIVITY_SHARE, columns["user_receptivity"])
        * columns["opportunity_availability"]
    )
    return context


def timing_factor(columns: Columns) -> np.ndarray:
    """Multiply what the moment adds or takes: time of day, day of week, habits, the opportunity's own timing.

    Args:
        columns: The features by name.

    Returns:
        `(n_rows,)` in [0, 1].
    """
    timing: np.ndarray = (
        _share(TIME_OF_DAY_SHARE, columns["optimal_time_of_day"])
        * _share(DAY_OF_WEEK_SHARE, columns["optimal_day_of_week"])
        * _share(USER_PATTERNS_SHARE, columns["user_patterns"])
        * columns["opportunity_timing"]
    )
    return timing


def _share(share: float, value: np.ndarray) -> np.ndarray:
    return (1.0 - share) + share * value
