"""The calling score of the seed generators: simpler than the app's formula, which is in `scoring.formula`."""

from typing import Final

import numpy as np

from spots_ml.features.contract import (
    AGENT_VIBES,
    CONTEXT_FEATURES,
    FEATURES,
    OPPORTUNITY_VIBES,
    TIMING_FEATURES,
)

COMPATIBILITY_WEIGHT: Final = 0.50
"""Weight of the plain mean agreement over the twelve vibe dimensions."""
CONTEXT_WEIGHT: Final = 0.30
"""Weight of the mean of the six context features."""
TIMING_WEIGHT: Final = 0.20
"""Weight of the mean of the four timing features."""


def simple_score(features: np.ndarray) -> np.ndarray:
    """Score rows as the seed generators do: 0.50 compatibility + 0.30 mean(24-29) + 0.20 mean(34-37).

    Args:
        features: `(n_rows, 39)` floats in [0, 1] in contract order, without NaN (unknown is 0.5).

    Returns:
        `(n_rows,)` float64 in [0, 1].

    >>> simple_score(np.full((1, 39), 0.5)).tolist()
    [0.75]
    """
    columns = dict(zip(FEATURES, np.asarray(features, dtype=np.float64).T, strict=True))
    agent, opportunity, context, timing = (
        np.stack([columns[name] for name in names])
        for names in (AGENT_VIBES, OPPORTUNITY_VIBES, CONTEXT_FEATURES, TIMING_FEATURES)
    )
    return score_of_parts(agent, opportunity, context, timing)


def score_of_parts(agent: np.ndarray, opportunity: np.ndarray, context: np.ndarray, timing: np.ndarray) -> np.ndarray:
    """Score rows whose features lie in one array per group, a feature per line.

    Args:
        agent: `(12, n_rows)` vibe dimensions of the agent, in [0, 1].
        opportunity: `(12, n_rows)` vibe dimensions of the opportunity, in [0, 1].
        context: `(6, n_rows)` features 24-29, in [0, 1].
        timing: `(4, n_rows)` features 34-37, in [0, 1].

    Returns:
        `(n_rows,)` float64 in [0, 1].
    """
    score: np.ndarray = (
        COMPATIBILITY_WEIGHT * (1.0 - np.abs(agent - opportunity)).mean(axis=0)
        + CONTEXT_WEIGHT * context.mean(axis=0)
        + TIMING_WEIGHT * timing.mean(axis=0)
    )
    return score
