"""Moments as stores keep and compare them: texts that sort as moments do, whole microseconds, and periods."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from spots_ml.errors import InputError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def to_text(moment: datetime) -> str:
    """Write a moment so that texts sort as moments do.

    Args:
        moment: With a time zone.

    Returns:
        ISO 8601 in UTC with microseconds.

    Raises:
        InputError: When the moment has no zone.

    >>> to_text(datetime(2026, 11, 21, tzinfo=UTC))
    '2026-11-21T00:00:00.000000+00:00'
    """
    if moment.tzinfo is None:
        raise InputError(f"the time {moment} has no zone; expected UTC")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def to_microseconds(moment: datetime) -> int:
    """Count the microseconds from the begin of 1970 (UTC) to a moment.

    Args:
        moment: With a time zone.

    Returns:
        Their number, negative before 1970.

    >>> to_microseconds(datetime(1970, 1, 2, tzinfo=UTC))
    86400000000
    """
    return (moment - _EPOCH) // timedelta(microseconds=1)


def check_period(since: datetime | None, until: datetime | None) -> None:
    """Check that a period can be asked for.

    Args:
        since: Its start; None: it has none.
        until: Its end; None: it has none.

    Raises:
        InputError: When a moment has no zone, or the period ends before it starts.
    """
    for moment in (since, until):
        if moment is not None and moment.tzinfo is None:
            raise InputError(f"the time {moment} has no zone; expected UTC")
    if since is not None and until is not None and since > until:
        raise InputError(f"the period from {since} ends before it starts, on {until}; give the earlier moment first")


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
