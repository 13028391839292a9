"""What makes an interaction itself, as the embedded store keeps it: 16 bytes. The rule is in `judging.merging`."""

import hashlib
from typing import Final

from spots_ml.interactions.judging.merging import MOMENT_US

Value = str | bytes | float | None

_SIZE: Final = 16


def identity_of(agent: str | None, opportunity: str | None, moment: int | None, *said: Value) -> bytes:
    """Reduce what makes an interaction itself to 16 bytes.

    Args:
        agent: The agent's id; None: unknown.
        opportunity: The opportunity's id; None: unknown.
        moment: When the pair was scored, in microseconds since 1970 (UTC); None: unknown.
        *said: All else that is said, which counts only where one of the others is unknown.

    Returns:
        16 bytes; equal for the same interaction.

    >>> identity_of("a", "b", 1_000) == identity_of("a", "b", 1_999) != identity_of("a", "b", 2_000)
    True
    """
    if agent is None or opportunity is None or moment is None:
        content = repr((agent, opportunity, moment, *map(_plain, said)))
    else:
        content = repr((agent, opportunity, moment // MOMENT_US * MOMENT_US))
    # repr() quotes, so that no two contents give the same text.
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).digest()[:_SIZE]


def _plain(value: Value) -> Value:
    # Adding 0 makes one number of -0.0 and 0.0, of True and 1.
    return value + 0 if isinstance(value, int | float) else value
