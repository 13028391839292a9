"""One thing that was looked at in what an app sends: what was found, and whether it is in the way of proof."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Verdict = Literal["ok", "look", "missing"]
"""Nothing to do; worth a look, though nothing is lost; what is missing for proof."""

TOLERATED: Final = 0.05
"""Share of decisions that may be otherwise before proof is in danger: a few old or broken phones explain that much."""


@dataclass(frozen=True)
class Finding:
    """What was found.

    Attributes:
        topic: What was looked at, in a word.
        verdict: Whether it is in the way.
        sentence: What was found, and what is to be done where something is.
        numbers: What the sentence is made of.
    """

    topic: str
    verdict: Verdict
    sentence: str
    numbers: Mapping[str, int | float | str | None]


def percent(part: int, whole: int) -> str:
    """Write a share with its count.

    Args:
        part: How many.
        whole: Of how many.

    Returns:
        A text; without a share where there is nothing.

    >>> percent(3, 12), percent(0, 0)
    ('3 of 12 (25.0 %)', 'none of 0')
    """
    return f"{part:,} of {whole:,} ({part / whole:.1%})".replace("%", " %") if whole else "none of 0"


def exceeds(part: int, whole: int) -> bool:
    """Tell whether so many are too many.

    Args:
        part: How many are otherwise.
        whole: Of how many.

    Returns:
        Whether their share is above `TOLERATED`; of none nothing is.
    """
    return part > TOLERATED * whole
