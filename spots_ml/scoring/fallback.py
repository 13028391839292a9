"""What stands in where a model does not answer, and why it has to.

For the outcome model it is the app's own hand-written rule, here; for the calling-score model it is the formula, in
`formula`. Every such row is counted by reason.
"""

from typing import Final, Literal, get_args

import numpy as np

from spots_ml.errors import SpotsMLError
from spots_ml.features.contract import CONTEXT_FEATURES, FEATURES_AND_HISTORY, TIMING_FEATURES

FallbackReason = Literal[
    "no_version", "unreadable", "damaged", "wrong_contract", "not_loadable", "slow", "failed", "bad_answer"
]
FALLBACK_REASONS: Final[tuple[FallbackReason, ...]] = get_args(FallbackReason)

REASON_TEXTS: Final[dict[FallbackReason, str]] = {
    "no_version": "no version is active",
    "unreadable": "its files are missing or cannot be read",
    "damaged": "its files are not those that were registered",
    "wrong_contract": "it was made for another feature contract",
    "not_loadable": "the runtime cannot load it",
    "slow": "it did not answer in time",
    "failed": "the runtime failed while it answered",
    "bad_answer": "its answer is not a number in [0, 1]",
}
"""What each reason means, in words."""

ANSWERED: Final = -1
"""In arrays of fallback codes: the model answered. All others are positions in `FALLBACK_REASONS`."""


class ModelUnavailableError(SpotsMLError):
    """A model cannot answer; the formula or the outcome rule does.

    Args:
        reason: Which kind of trouble.
        detail: What exactly was found.
    """

    def __init__(self, reason: FallbackReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: FallbackReason = reason
        self.detail = detail


def fallback_code(reason: FallbackReason) -> int:
    """Number a reason.

    Args:
        reason: The reason.

    Returns:
        Its position in `FALLBACK_REASONS`.
    """
    return FALLBACK_REASONS.index(reason)


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
