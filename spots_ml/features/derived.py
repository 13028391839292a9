"""Derived slots 30-33 and 38, computed from the 34 raw features exactly as the app computes them.

Unknown is NaN here: a match with an unknown side is unknown, never 0.5. Filling unknowns with what the app
feeds (`contract.UNKNOWN_VALUE`) happens where a model's inputs are assembled (`interactions.learning.dataset`).
"""

from collections.abc import Callable, Mapping
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

_PIECE_ROWS: Final = 2048
"""Rows that are worked off at once: their columns fit the processor's cache."""
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
    take, n_rows = _taker(raw)
    features = np.empty((n_rows, len(FEATURES)), dtype=np.float32)
    for start in range(0, n_rows, _PIECE_ROWS):
        piece = slice(start, min(start + _PIECE_ROWS, n_rows))
        with np.errstate(over="ignore"):  # a value far out of range is for the rules to find
            features[piece] = _derive_piece(take(piece)).T
    return features


def _derive_piece(raw: np.ndarray) -> np.ndarray:
    """Turn `(34, k)` float64 into `(39, k)` float64."""
    columns = dict(zip(RAW_FEATURES, raw, strict=True))
    all_known = not np.isnan(raw).any()
    agreement = {
        name: agree(columns[mine], columns[theirs])
        for name, mine, theirs in zip(VIBE_DIMENSIONS, AGENT_VIBES, OPPORTUNITY_VIBES, strict=True)
    }
    derived = {match: agreement[dimension] for match, dimension in _MATCHES.items()}
    derived["vibe_compatibility"] = _compatibility(columns, agreement, all_known=all_known)
    derived["timing_alignment"] = _mean_of_known(
        [columns[name] for name in TIMING_FEATURES], UNKNOWN_VALUE, all_known=all_known
    )
    features = np.empty((len(FEATURES), raw.shape[1]))
    for index, name in enumerate(FEATURES):
        features[index] = derived[name] if name in derived else columns[name]
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


def _compatibility(
    columns: Mapping[str, np.ndarray], agreement: Mapping[str, np.ndarray], *, all_known: bool
) -> np.ndarray:
    """Weigh the four agreements; an unknown one is left out and the other weights are scaled up."""
    parts = (
        (DIMENSIONS_WEIGHT, _mean_of_known(list(agreement.values()), np.nan, all_known=all_known)),
        (ENERGY_WEIGHT, agreement["overall_energy"]),
        (EXPLORATION_WEIGHT, exploration_agreement(columns)),
        (SOCIAL_WEIGHT, agreement["social_preference"]),
    )
    weighted = np.zeros(len(parts[0][1]))
    if all_known:
        weight_of_all = 0.0
        for share, value in parts:
            weighted += share * value
            weight_of_all += share
        return weighted / weight_of_all
    weight = np.zeros(len(weighted))
    for share, value in parts:
        known = ~np.isnan(value)
        weighted += np.where(known, share * value, 0.0)
        weight += np.where(known, share, 0.0)
    compatibility: np.ndarray = np.divide(weighted, weight, out=np.full_like(weighted, np.nan), where=weight > 0)
    return compatibility


def _mean_of_known(columns: list[np.ndarray], if_none: float, *, all_known: bool) -> np.ndarray:
    """Average column by column, so that a row alone, or among rows with unknowns, gives the same bits."""
    total = np.zeros(len(columns[0]))
    if all_known:
        for column in columns:
            total += column
        return total / len(columns)
    n_known = np.zeros(len(columns[0]))
    for column in columns:
        known = ~np.isnan(column)
        total += np.where(known, column, 0.0)
        n_known += known
    mean: np.ndarray = np.divide(total, n_known, out=np.full_like(total, if_none), where=n_known > 0)
    return mean


def _taker(raw: Mapping[str, np.ndarray] | np.ndarray) -> tuple[Callable[[slice], np.ndarray], int]:
    """Give a function that takes `(34, k)` float64 out of the rows, and the number of rows."""
    if isinstance(raw, np.ndarray):
        if raw.ndim != 2 or raw.shape[1] != len(RAW_FEATURES):
            raise ContractError(
                f"raw features have the shape {raw.shape}; expected (n_rows, {len(RAW_FEATURES)}): "
                "give the columns named in contract.RAW_FEATURES, in that order"
            )
        return lambda piece: np.array(raw[piece].T, dtype=np.float64, order="C"), len(raw)
    if missing := [name for name in RAW_FEATURES if name not in raw]:
        raise ContractError(f"raw features are missing: {', '.join(missing)}; give all {len(RAW_FEATURES)} columns")
    columns = [np.asarray(raw[name], dtype=np.float64) for name in RAW_FEATURES]
    return lambda piece: np.stack([column[piece] for column in columns]), len(columns[0])
