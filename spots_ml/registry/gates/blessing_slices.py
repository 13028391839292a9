"""On which parts of the rows a version must not be worse: kinds of agents, opportunities and moments, declared here.

Agents of one vibe are found by k-means over the rows that the challenger trained on, with a fixed begin, so that the
same model always has the same clusters; a row belongs to the nearest centre.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

import numpy as np

from spots_ml.features.contract import HISTORY_FEATURES, VIBE_DIMENSIONS
from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.scoring.decision import CALLED_FROM

N_CLUSTERS: Final = 4
_ROUNDS: Final = 25
_AGENT_VIBES: Final = slice(0, len(VIBE_DIMENSIONS))
_ENERGY: Final = len(VIBE_DIMENSIONS) + VIBE_DIMENSIONS.index("overall_energy")
_COUNT: Final = HISTORY_FEATURES.index("interaction_count")
_SCORE_BANDS: Final = (0.0, 0.5, 0.6, CALLED_FROM, 0.8, 1.0)
_ENERGY_BANDS: Final = (0.0, 1 / 3, 2 / 3, 1.0)
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HOURS: Final = (0, 6, 12, 18, 24)
_MONDAY: Final = np.datetime64("1970-01-05", "D")


def slices(rows: LabelledRows, formula: np.ndarray, centres: np.ndarray) -> dict[str, np.ndarray]:
    """Cut rows into slices, several times over.

    Args:
        rows: The rows.
        formula: `(n_rows,)` in [0, 1], calling scores of the formula.
        centres: `(n_clusters, 12)`, see `vibe_centres`.

    Returns:
        `(n_rows,)` bool by name, of those that have rows. What is unknown of a row puts it into none of its kind.
    """
    found = {
        "new_agents": rows.history[:, _COUNT] == 0.0,
        "known_agents": rows.history[:, _COUNT] > 0.0,
        **_bands("formula_score", formula, _SCORE_BANDS),
        **_bands("opportunity_energy", rows.features[:, _ENERGY], _ENERGY_BANDS, known=~rows.unknown[:, _ENERGY]),
        **_moments(rows.scored_at),
        **_clusters(rows, centres),
    }
    return {name: mask for name, mask in found.items() if mask.any()}


def _bands(
    name: str, values: np.ndarray, ends: tuple[float, ...], known: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    last, masks = ends[-1], {}
    for low, high in pairwise(ends):
        mask = (values >= low) & ((values < high) | (high == last))
        masks[f"{name}_{low:.2g}_to_{high:.2g}"] = mask if known is None else mask & known
    return masks


def _moments(scored_at: np.ndarray) -> Mapping[str, np.ndarray]:
    known = ~np.isnat(scored_at)
    day = scored_at.astype("datetime64[D]")
    weekday = np.where(known, (day - _MONDAY).astype(np.int64) % 7, -1)
    hour = np.where(known, (scored_at - day).astype("timedelta64[h]").astype(np.int64), -1)
    return {
        **{f"on_{name}": weekday == number for number, name in enumerate(_WEEKDAYS)},
        **{f"hour_{low:02d}_to_{high:02d}_utc": (hour >= low) & (hour < high) for low, high in pairwise(_HOURS)},
    }


def _clusters(rows: LabelledRows, centres: np.ndarray) -> dict[str, np.ndarray]:
    known = ~rows.unknown[:, _AGENT_VIBES].all(axis=1)
    place = nearest(rows.features[:, _AGENT_VIBES], centres)
    return {f"vibe_cluster_{number + 1}": known & (place == number) for number in range(len(centres))}


def vibe_centres(rows: LabelledRows, n_clusters: int = N_CLUSTERS) -> np.ndarray:
    """Find the centres of agents' vibes by Lloyd's algorithm, begun at vibes far from each other.

    Args:
        rows: What the challenger trained on.
        n_clusters: How many centres, where there are as many different vibes.

    Returns:
        `(k, 12)` float64 in [0, 1], k at most `n_clusters`; none without rows.
    """
    vibes = np.unique(rows.features[:, _AGENT_VIBES].astype(np.float64), axis=0)
    if not len(vibes):
        return np.empty((0, len(VIBE_DIMENSIONS)))
    centres = vibes[[int(np.argmin(_distances(vibes, vibes.mean(axis=0)[None])[:, 0]))]]
    while len(centres) < min(n_clusters, len(vibes)):
        farthest = int(np.argmax(_distances(vibes, centres).min(axis=1)))
        centres = np.concatenate([centres, vibes[[farthest]]])
    for _ in range(_ROUNDS):
        place = nearest(vibes, centres)
        n_each = np.bincount(place, minlength=len(centres))
        sums = np.stack([np.bincount(place, column, len(centres)) for column in vibes.T], axis=1)
        moved = np.where(n_each[:, None] > 0, sums / np.maximum(n_each, 1)[:, None], centres)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return centres


def nearest(vibes: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Find the nearest centre of each vibe, the first of several.

    Args:
        vibes: `(n, 12)`.
        centres: `(k, 12)`.

    Returns:
        `(n,)` int64 positions among the centres; -1 throughout without centres.
    """
    if not len(centres):
        return np.full(len(vibes), -1)
    place: np.ndarray = _distances(np.asarray(vibes, np.float64), centres).argmin(axis=1)
    return place


def _distances(vibes: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Squared distances `(n, k)`, one centre after the other so that memory stays small."""
    return np.stack([np.square(vibes - centre).sum(axis=1) for centre in centres], axis=1)
