"""Derived slots 30-33 and 38, computed from the 34 raw features exactly as the app computes them.

Unknown is NaN here: a match with an unknown side is unknown, never 0.5. Filling unknowns with what the app
feeds (`contract.UNKNOWN_VALUE`) happens where a model's inputs are assembled (`interactions.dataset`).
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from spots_ml.errors import ContractError
from spots_ml.features.contract import (
    AGENT_VIBES,
    FEATURES,
    OPPORTUNITY_VIBES,
    RAW_FEATURES,
    TIMING_FEATURES,
    UNKNOWN_VALUE,
    VIBE_DIMENSIONS,
)

DIMENSIONS_WEIGHT: Final = 0.50
"""Weight in vibe compatibility of the mean agreement over the dimensions that both sides have."""
ENERGY_WEIGHT: Final = 0.20
"""Weight in vibe compatibility of the agreement on overall energy."""
EXPLORATION_WEIGHT: Final = 0.15
"""Weight in vibe compatibility of the agreement on the exploration tendency."""
SOCIAL_WEIGHT: Final = 0.15
"""Weight in vibe compatibility of the agreement on social preference."""

_MATCHES: Final = {
    "energy_match": "overall_energy",
    "community_match": "community_orientation",
    "novelty_match": "novelty_seeking",
}


def derive(raw: Mapping[str, np.ndarray] | np.ndarray) -> np.ndarray:
    """Complete raw features to the 39 contract features. Each row depends on itself alone.

    Args:
        raw: Either `(n_rows, 34)` floats in the order of `contract.RAW_FEATURES`, or 34 named columns
            `(n_rows,)`; in [0, 1], NaN where unknown. Names besides the 34 (placeholders of older records,
            say) are ignored.

    Returns:
        `(n_rows, 39)` float32 in [0, 1] in the order of `contract.FEATURES`; NaN where unknown. The timing
        alignment is 0.5 where no timing feature is known, as in the app, and so is never NaN. `(0, 39)` for
        no rows.

    Raises:
        ContractError: When a raw feature is missing, or the array has not 34 columns.

    >>> row = derive(np.full((1, 34), 0.25))[0]
    >>> float(row[FEATURES.index("vibe_compatibility")]), float(row[FEATURES.index("timing_alignment")])
    (1.0, 0.25)
    """
    columns = _columns(raw)
    agreement = {
        name: agree(columns[mine], columns[theirs])
        for name, mine, theirs in zip(VIBE_DIMENSIONS, AGENT_VIBES, OPPORTUNITY_VIBES, strict=True)
    }
    derived = {match: agreement[dimension] for match, dimension in _MATCHES.items()}
    derived["vibe_compatibility"] = _compatibility(columns, agreement)
    derived["timing_alignment"] = _mean_of_known([columns[name] for name in TIMING_FEATURES], UNKNOWN_VALUE)
    n_rows = len(columns[RAW_FEATURES[0]])
    features = np.empty((n_rows, len(FEATURES)), dtype=np.float32)
    for index, name in enumerate(FEATURES):
        features[:, index] = derived[name] if name in derived else columns[name]
    return features


def agree(mine: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Compare two values of one dimension.

    Args:
        mine: `(n_rows,)` in [0, 1]; NaN where unknown.
        theirs: `(n_rows,)` in [0, 1]; NaN where unknown.

    Returns:
        `(n_rows,)` in [0, 1]: 1 - |mine - theirs|; NaN where either side is unknown.

    >>> agree(np.array([0.25, np.nan]), np.array([0.75, 0.5])).tolist()
    [0.5, nan]
    """
    agreement: np.ndarray = 1.0 - np.abs(mine - theirs)
    return agreement


def exploration_tendency(exploration_eagerness: np.ndarray, novelty_seeking: np.ndarray) -> np.ndarray:
    """Combine the two dimensions that say how much somebody explores.

    Args:
        exploration_eagerness: `(n_rows,)` in [0, 1]; NaN where unknown.
        novelty_seeking: `(n_rows,)` in [0, 1]; NaN where unknown.

    Returns:
        `(n_rows,)` in [0, 1]: their mean; NaN where either is unknown.
    """
    tendency: np.ndarray = (exploration_eagerness + novelty_seeking) / 2.0
    return tendency


def exploration_agreement(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Compare the exploration tendencies of agent and opportunity.

    Args:
        columns: Named columns `(n_rows,)` with at least the two dimensions on both sides.

    Returns:
        `(n_rows,)` in [0, 1]; NaN where any of the four values is unknown.
    """
    agent, opportunity = (
        exploration_tendency(columns[f"{side}_exploration_eagerness"], columns[f"{side}_novelty_seeking"])
        for side in ("agent", "opportunity")
    )
    return agree(agent, opportunity)


def _compatibility(columns: Mapping[str, np.ndarray], agreement: Mapping[str, np.ndarray]) -> np.ndarray:
    """Weigh the four agreements; an unknown one is left out and the other weights are scaled up."""
    parts = (
        (DIMENSIONS_WEIGHT, _mean_of_known(list(agreement.values()), np.nan)),
        (ENERGY_WEIGHT, agreement["overall_energy"]),
        (EXPLORATION_WEIGHT, exploration_agreement(columns)),
        (SOCIAL_WEIGHT, agreement["social_preference"]),
    )
    weighted = np.zeros(len(parts[0][1]))
    weight = np.zeros(len(parts[0][1]))
    for share, value in parts:
        known = ~np.isnan(value)
        weighted += np.where(known, share * value, 0.0)
        weight += np.where(known, share, 0.0)
    compatibility: np.ndarray = np.divide(weighted, weight, out=np.full_like(weighted, np.nan), where=weight > 0)
    return compatibility


def _mean_of_known(columns: list[np.ndarray], if_none: float) -> np.ndarray:
    """Average column by column, so that a row alone gives the same bits as the row in a batch."""
    total = np.zeros(len(columns[0]))
    n_known = np.zeros(len(columns[0]))
    for column in columns:
        known = ~np.isnan(column)
        total += np.where(known, column, 0.0)
        n_known += known
    mean: np.ndarray = np.divide(total, n_known, out=np.full_like(total, if_none), where=n_known > 0)
    return mean


def _columns(raw: Mapping[str, np.ndarray] | np.ndarray) -> dict[str, np.ndarray]:
    if isinstance(raw, np.ndarray):
        if raw.ndim != 2 or raw.shape[1] != len(RAW_FEATURES):
            raise ContractError(
                f"raw features have the shape {raw.shape}; expected (n_rows, {len(RAW_FEATURES)}): "
                "give the columns named in contract.RAW_FEATURES, in that order"
            )
        return {name: raw[:, index].astype(np.float64) for index, name in enumerate(RAW_FEATURES)}
    if missing := [name for name in RAW_FEATURES if name not in raw]:
        raise ContractError(f"raw features are missing: {', '.join(missing)}; give all {len(RAW_FEATURES)} columns")
    return {name: np.asarray(raw[name], dtype=np.float64) for name in RAW_FEATURES}
