"""How many records may be broken: one sentence for whatever is read, whether it is validated or taken into a store."""

from collections.abc import Mapping, Sequence
from typing import Final

from spots_ml.errors import ValidationFailedError
from spots_ml.interactions.judging.weighing import Weighing

N_EXAMPLES: Final = 5
"""Broken records that a refusal names."""


def refuse_broken(
    weighing: Weighing,
    *,
    n_read: int,
    n_broken: int,
    reasons: Mapping[str, int],
    examples: Sequence[tuple[int, Sequence[str]]],
    max_broken_share: float,
    otherwise: str = "",
) -> None:
    """Insist that few records are broken.

    Args:
        weighing: Who weighs how much among the records; its share counts.
        n_read: Records.
        n_broken: Of these, broken ones.
        reasons: Reason code -> records.
        examples: Position and reason codes of the first broken ones.
        max_broken_share: Largest share that may be, in [0, 1], inclusive.
        otherwise: What else may be done where this is read; empty: nothing.

    Raises:
        ValidationFailedError: When more are broken.
    """
    if weighing.broken_share <= max_broken_share:
        return
    counts = ", ".join(f"{code} {count:,}" for code, count in reasons.items())
    first = "; ".join(f"position {position}: {', '.join(codes)}" for position, codes in examples)
    raise ValidationFailedError(
        f"{n_broken:,} of {n_read:,} records are broken ({weighing.broken_share:.1%} with no agent above its cap); "
        f"at most {max_broken_share:.1%} may be. By reason: {counts}. First ones: {first}. "
        f"Who weighs most: {weighing.sentence()}. Repair the source; if this is expected, raise max_broken_share "
        f"(SPOTS_ML_MAX_BROKEN_SHARE){otherwise}"
    )
