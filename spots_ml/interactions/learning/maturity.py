"""When an outcome may be counted: labels arrive late, and counting the early ones biases every comparison.

A row is *matured* once its maturity window is over: `window` after the decision. Its outcome counts when it arrived
within the window; otherwise the row is *expired*, also when an outcome arrives later. So what a matured row counts as
is final: it does not depend on when it is asked. What counts is when the first outcome arrived: one that is corrected
later stays labelled, and counts as what is known of it now.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from spots_ml.errors import ConfigError

DEFAULT_WINDOW: Final = timedelta(hours=48)


@dataclass(frozen=True)
class Maturity:
    """What rows count as at a moment; a row that is not matured counts as neither labelled nor expired.

    Attributes:
        matured: `(n_rows,)` bool, the window is over.
        labelled: `(n_rows,)` bool, matured and the outcome arrived within the window.
        expired: `(n_rows,)` bool, matured and it did not.
    """

    matured: np.ndarray
    labelled: np.ndarray
    expired: np.ndarray


def mature(
    decided_at: np.ndarray,
    outcome_at: np.ndarray,
    has_outcome: np.ndarray,
    *,
    now: datetime,
    window: timedelta = DEFAULT_WINDOW,
) -> Maturity:
    """Tell matured rows from the others, and labelled from expired among them.

    Args:
        decided_at: `(n_rows,)` datetime64 in UTC. NaT where unknown: such a row has no window to wait for and counts as
            matured, its outcome as arrived in time.
        outcome_at: `(n_rows,)` datetime64 in UTC, when the first outcome arrived. NaT where none did, or nobody
            knows when: an outcome whose arrival is unknown counts as arrived in time.
        has_outcome: `(n_rows,)` bool, an outcome is known by now.
        now: The present, with a time zone.
        window: How long an outcome may take, at least 0; both ends belong to it: a decision exactly `window` ago is
            matured, an outcome exactly `window` after its decision is in time.

    Returns:
        Three masks; labelled or expired is matured.

    Raises:
        ConfigError: When the window is negative or `now` has no time zone.

    >>> def at(*hours): return np.datetime64("2026-11-01T00:00:00", "us") + np.array(hours, "timedelta64[h]")
    >>> from datetime import UTC
    >>> found = mature(at(0, 0, 1), at(48, 49, 2), np.ones(3, bool), now=datetime(2026, 11, 3, tzinfo=UTC))
    >>> found.labelled.tolist(), found.expired.tolist()
    ([True, False, False], [False, True, False])
    """
    if window < timedelta(0):
        raise ConfigError(f"the maturity window is {window}; expected a duration of at least 0")
    if now.utcoffset() is None:
        raise ConfigError(f"now is {now} without a time zone; expected a moment in UTC")
    decided = np.asarray(decided_at).astype("datetime64[us]")
    arrived = np.asarray(outcome_at).astype("datetime64[us]")
    ends = decided + np.timedelta64(window // timedelta(microseconds=1), "us")
    matured = np.isnat(ends) | (ends <= _moment(now))
    # A comparison with NaT is False: what is not known to be late is in time.
    labelled = matured & np.asarray(has_outcome, dtype=bool) & ~(arrived > ends)
    return Maturity(matured, labelled, matured & ~labelled)


def _moment(now: datetime) -> np.datetime64:
    offset = now.utcoffset() or timedelta(0)
    return np.datetime64(now.replace(tzinfo=None) - offset, "us")
