"""How many labels arrive per day, as of when, and whether any still do.

Moments are the writers' word: what lies ahead of the present is not believed, and no agent weighs more than the cap.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.estimates.caps import row_cap
from spots_ml.interactions.columns import first_arrivals

RATE_DAYS: Final = 14
"""Days back from the newest label, over which the rate of arrival is taken."""
SILENT_GAPS: Final = 3
"""A feed is silent after that many of its longest gaps within these days, ..."""
SILENT_AFTER: Final = timedelta(days=2)
"""... and not before that."""
_US_PER_DAY: Final = 86_400 * 10**6


@dataclass(frozen=True)
class Arrivals:
    """When labels arrived, and whose they are.

    Attributes:
        moments: `(n_labelled,)` datetime64[us] in UTC; NaT where unknown.
        agents: `(n_labelled,)` whole numbers, one for each agent; all labels without an agent are one agent's.
    """

    moments: np.ndarray
    agents: np.ndarray


@dataclass(frozen=True)
class ArrivalRate:
    """How labels arrive.

    Attributes:
        per_day: Labels per day over the last `RATE_DAYS` days up to `as_of`, no agent beyond the cap; None when no
            moment is known.
        as_of: When the newest label arrived (UTC); None when no moment is known.
        silent: Whether nothing has come since for long against the feed's own rhythm: then it promises nothing.
    """

    per_day: float | None = None
    as_of: datetime | None = None
    silent: bool = False

    @property
    def promised(self) -> float | None:
        """Labels per day that may be expected; None when nothing may."""
        return None if self.silent else self.per_day

    def told(self, now: datetime) -> str:
        """Say it in a few words.

        Args:
            now: The present (UTC).

        Returns:
            The rate and as of when, since when nothing has come, or that nothing is known.
        """
        if self.per_day is None or self.as_of is None:
            return "at an unknown rate"
        rate, day = f"{self.per_day:,.1f}", f"{self.as_of:%Y-%m-%d}"
        if self.silent:
            days = (now - self.as_of) // timedelta(days=1)
            return f"nothing has arrived since {day}, {days:,} days ago; before that {rate} per day: no forecast"
        return f"{rate} per day arrived in the {RATE_DAYS} days up to {day}"


def arrivals(table: pa.Table) -> Arrivals:
    """Tell when labels arrived.

    Args:
        table: Rows with `agent_id`, `outcome_score`, `outcome_at`, `first_outcome_at` and `scored_at`.

    Returns:
        Of the labelled rows the moment the first outcome arrived or, where that is unknown, the time of
        scoring; NaT where that is unknown too.
    """
    labelled = table.filter(table["outcome_score"].is_valid())
    arrived = first_arrivals(labelled)
    scored = labelled["scored_at"].to_numpy().astype("datetime64[us]")
    agents = pc.fill_null(pc.index_in(labelled["agent_id"], pc.unique(labelled["agent_id"])), 0)
    return Arrivals(np.where(np.isnat(arrived), scored, arrived), agents.to_numpy())


def measure_rate(arrived: Arrivals, *, now: datetime) -> ArrivalRate:
    """Measure how labels arrive.

    Args:
        arrived: When, and whose.
        now: The present, with a time zone; what is said to have arrived later is not believed.

    Returns:
        The rate. Data of less than `RATE_DAYS` is divided by the days it spans, at least one.
    """
    present = np.datetime64(now.astimezone(UTC).replace(tzinfo=None), "us")
    believed = ~np.isnat(arrived.moments) & (arrived.moments <= present)
    moments = arrived.moments[believed].astype("datetime64[us]").astype(np.int64)
    if not len(moments):
        return ArrivalRate()
    newest = int(moments.max())
    recent = moments > newest - RATE_DAYS * _US_PER_DAY
    n_rows = np.unique(arrived.agents[believed][recent], return_counts=True)[1].astype(np.float64)
    counted = float(np.minimum(n_rows, row_cap(n_rows, equal_shares=2.0)).sum())
    span = min(RATE_DAYS, max(1.0, (newest - int(moments.min())) / _US_PER_DAY))
    as_of = datetime.fromtimestamp(newest / 1e6, UTC)
    return ArrivalRate(counted / span, as_of, silent=now - as_of > _patience(moments[recent]))


def _patience(moments: np.ndarray) -> timedelta:
    gaps = np.diff(np.sort(moments))
    longest = timedelta(microseconds=int(gaps.max())) if len(gaps) else timedelta()
    return max(SILENT_AFTER, SILENT_GAPS * longest)
