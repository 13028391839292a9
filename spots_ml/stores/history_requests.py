"""What may be asked of a server of history, whichever store it reads."""

from collections.abc import Sequence

import numpy as np

from spots_ml.errors import InputError
from spots_ml.stores.watermark import Watermark


def check_moments(agent_ids: Sequence[str | None], at: np.ndarray) -> None:
    """Check that there is one moment for each agent.

    Args:
        agent_ids: `(n_rows,)` ids.
        at: What is to be `(n_rows,)` datetime64.

    Raises:
        InputError: When ids and moments differ in number, or the moments are no datetime64.
    """
    if at.shape != (len(agent_ids),) or not np.issubdtype(at.dtype, np.datetime64):
        raise InputError(
            f"{len(agent_ids):,} agents are asked for at moments of shape {at.shape} and type {at.dtype}; "
            "expected one datetime64 each"
        )


def check_reached(known: Watermark, reached: Watermark, store: str) -> None:
    """Check that a store has been where a watermark says.

    Args:
        known: The watermark that was asked for.
        reached: The present one.
        store: The store, for the message.

    Raises:
        InputError: When the watermark lies ahead.
    """
    if known.labels > reached.labels or known.rows > reached.rows:
        raise InputError(
            f"the watermark {known} lies ahead of {reached}, which {store} has reached; expected one of this very store"
        )
