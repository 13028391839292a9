"""From scores to a decision, in the app's order: blend, outcome filter, trend boost, threshold."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from spots_ml.scoring.formula import CALLED_FROM

__all__ = ["CALLED_FROM", "OUTCOME_ABOVE", "Decision", "decide_calls"]

OUTCOME_ABOVE: Final = 0.70
"""A call needs a P(positive) above this."""


@dataclass(frozen=True)
class Decision:
    """What is decided about each row.

    Attributes:
        hybrid_score: `(n_rows,)` float64 in [0, 1], formula and neural score blended.
        score: `(n_rows,)` float64 in [0, 1], the calling score; of a blocked row the hybrid score.
        blocked: `(n_rows,)` bool, whether the outcome filter said no.
        called: `(n_rows,)` bool.
    """

    hybrid_score: np.ndarray
    score: np.ndarray
    blocked: np.ndarray
    called: np.ndarray


def decide_calls(
    formula: np.ndarray,
    neural: np.ndarray,
    outcome_probability: np.ndarray,
    *,
    weight: np.ndarray,
    trend_boost: np.ndarray | float = 0.0,
) -> Decision:
    """Decide whom to call.

    In this order: hybrid score = (1 - w) x formula + w x neural; P(positive) <= 0.70 blocks the call and ends here;
    else score = hybrid score x P x (1 + trend boost), at most 1; called if the score is at least 0.70.

    Args:
        formula: `(n_rows,)` in [0, 1].
        neural: `(n_rows,)` in [0, 1]; NaN where the model did not answer, which makes the weight 0.
        outcome_probability: `(n_rows,)` P(positive) in [0, 1].
        weight: `(n_rows,)` w in [0, 1]; 0 for agents of the group `formulaBased`.
        trend_boost: In [-0.1, 0.2], a number or `(n_rows,)`.

    Returns:
        The decision; each row depends on itself alone, bit by bit.

    >>> neural, positive = np.array([0.5, np.nan]), np.array([0.9, 0.7])
    >>> both = decide_calls(np.array([0.9, 0.9]), neural, positive, weight=np.array([0.1, 0.1]))
    >>> both.hybrid_score.round(3).tolist(), both.score.round(3).tolist(), both.blocked.tolist(), both.called.tolist()
    ([0.86, 0.9], [0.774, 0.9], [False, True], [True, False])
    """
    hybrid = np.where(np.isnan(neural), formula, (1.0 - weight) * formula + weight * neural)
    passes = outcome_probability > OUTCOME_ABOVE
    boosted = np.minimum(hybrid * outcome_probability * (1.0 + trend_boost), 1.0)
    score = np.where(passes, boosted, hybrid)
    return Decision(hybrid_score=hybrid, score=score, blocked=~passes, called=passes & (score >= CALLED_FROM))
