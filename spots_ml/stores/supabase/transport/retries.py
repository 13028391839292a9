"""When a call is sent again, and after how long. Whether it may be sent again is said by the caller of `calls`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

import numpy as np

from spots_ml.errors import ConfigError

PASSING_STATUSES: Final = (408, 423, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 544)
"""Refusals that may pass by themselves.

423 and 544 are Storage's (a file that another one writes, a database that is late); 520 to 524 are those of the gateway
in front of hosted projects.
"""

STATEMENT_TIMEOUT: Final = "57014"
"""The SQLSTATE of a statement that took longer than allowed: sent again it would take as long, and load the server."""

_SECONDS: Final = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class RetryPolicy:
    """How often and after how long a call is sent again.

    Attributes:
        attempts: How often a call is sent at most; at least 1.
        first_wait_s: Seconds before the second attempt; doubled before each further one.
        longest_wait_s: Bound of that doubling, in seconds.
        longest_retry_after_s: A server that asks for a longer wait than this, in seconds, is not asked again.

    Raises:
        ConfigError: When a field is out of range.
    """

    attempts: int = 6
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    longest_retry_after_s: float = 120.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        waits = (self.first_wait_s, self.longest_wait_s, self.longest_retry_after_s)
        if self.attempts < 1 or min(waits) < 0:
            raise ConfigError(f"{self} is out of range; expected at least one attempt and no negative wait")

    def wait_s(self, attempt: int, asked_s: float | None, random: np.random.Generator) -> float:
        """Tell how long to wait before the next attempt: exponential backoff with jitter.

        The jitter keeps several processes from asking again in step; what a server asks for is a lower bound.

        Args:
            attempt: Number of the attempt that failed, from 1.
            asked_s: What the server asked for, in seconds; None: nothing.
            random: The source of the jitter.

        Returns:
            Seconds: without a request of the server between half the backoff and all of it.
        """
        backoff = min(self.longest_wait_s, self.first_wait_s * 2.0 ** min(attempt - 1, 60))
        jittered = backoff * float(random.uniform(0.5, 1.0))
        return jittered if asked_s is None else max(jittered, asked_s + self.first_wait_s * float(random.uniform()))


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Read how long a server asks to wait (RFC 9110, 10.2.3).

    A date is compared with the response's own `Date`, so that the clocks of the two machines do not matter.

    Args:
        headers: Of the response, names in lower case or compared without case.

    Returns:
        Seconds, not negative; None where nothing is asked, or nothing that can be read.

    >>> retry_after_s({"retry-after": "7"})
    7.0
    >>> retry_after_s({"retry-after": "Sat, 21 Nov 2026 10:00:30 GMT", "date": "Sat, 21 Nov 2026 10:00:00 GMT"})
    30.0
    """
    asked = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(asked):
        return float(asked)
    try:
        until, now = parsedate_to_datetime(asked), parsedate_to_datetime(headers.get("date", ""))
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError):
        return None
