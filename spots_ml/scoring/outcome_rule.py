"""The hand-written rule that stands in for the outcome model where it cannot answer (the app's fallback)."""

from typing import Final

import numpy as np

from spots_ml.features.contract import CONTEXT_FEATURES, FEATURES_AND_HISTORY, TIMING_FEATURES

RULE_WEIGHTS: Final = {
    "vibe_compatibility": 0.30,
    "context_mean": 0.20,
    "timing_mean": 0.15,
    "past_positive_rate": 0.25,
    "average_engagement": 0.10,
}
"""What each part counts; `context_mean` and `timing_mean` are means over the features of that name."""


def outcome_rule(inputs: np.ndarray) -> np.ndarray:
    """Score how likely a positive outcome is, by the app's fallback rule.

    0.30 compatibility + 0.20 mean context + 0.15 mean timing + 0.25 past positive rate + 0.10 average engagement.

    Args:
        inputs: `(n_rows, 45)` float32 in [0, 1], contract order; unknown as 0.5.

    Returns:
        `(n_rows,)` float64 in [0, 1].

    >>> float(outcome_rule(np.full((1, 45), 0.5))[0])
    0.5
    """
    columns = dict(zip(FEATURES_AND_HISTORY, inputs.T.astype(np.float64), strict=True))
    parts = {
        "vibe_compatibility": columns["vibe_compatibility"],
        "context_mean": np.mean([columns[name] for name in CONTEXT_FEATURES], axis=0),
        "timing_mean": np.mean([columns[name] for name in TIMING_FEATURES], axis=0),
        "past_positive_rate": columns["past_positive_rate"],
        "average_engagement": columns["average_engagement"],
    }
    score: np.ndarray = sum((weight * parts[name] for name, weight in RULE_WEIGHTS.items()), np.zeros(len(inputs)))
    return score
