"""Why a model did not answer. Every such row is answered by the formula or the outcome rule, and counted by reason."""

from typing import Final, Literal, get_args

from spots_ml.errors import SpotsMLError

FallbackReason = Literal[
    "no_version", "unreadable", "damaged", "wrong_contract", "not_loadable", "slow", "failed", "bad_answer"
]
FALLBACK_REASONS: Final[tuple[FallbackReason, ...]] = get_args(FallbackReason)

REASON_TEXTS: Final[dict[FallbackReason, str]] = {
    "no_version": "no version is registered",
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
