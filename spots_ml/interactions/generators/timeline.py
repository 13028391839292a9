"""Who is scored when, and when the outcome arrives: the part of generated data without features."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from spots_ml.errors import ConfigError

DEFAULT_UNTIL: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""End of the generated period unless told otherwise: fixed, so that a call gives the same data any day."""

_US_PER_DAY: Final = 86_400 * 10**6
_MEAN_DELAY_DAYS: Final = 0.5
_LONGEST_DELAY_DAYS: Final = 2.0
_SHORTEST_DELAY_US: Final = 60 * 10**6


@dataclass(frozen=True)
class Timeline:
    """Rows in the order of time.

    Attributes:
        agent: `(n_rows,)` int64, 0 to `n_agents` - 1; every agent has rows, at most one more than any other.
        scored_at: `(n_rows,)` datetime64[us] in UTC, ascending.
        outcome_at: `(n_rows,)` datetime64[us] in UTC; at least a minute and at most two days later.
        n_agents: Number of agents.
    """

    agent: np.ndarray
    scored_at: np.ndarray
    outcome_at: np.ndarray
    n_agents: int


def draw_timeline(
    n_rows: int,
    *,
    rows_per_agent: float,
    generator: np.random.Generator,
    until: datetime = DEFAULT_UNTIL,
    period_days: int = 180,
    active_days: int = 30,
) -> Timeline:
    """Draw agents who come and go: each is active for a while, somewhere in the period.

    Args:
        n_rows: Number of rows, at least 1.
        rows_per_agent: Mean rows per agent, at least 1.
        generator: The source of chance.
        until: End of the period, with zone; the last outcome has arrived by then.
        period_days: Length of the period, more than `active_days` + 2.
        active_days: Days from an agent's first possible row to its last possible one.

    Returns:
        The rows in the order of time.

    Raises:
        ConfigError: When a number is out of its range or `until` has no zone.
    """
    problems = []
    if n_rows < 1:
        problems.append(f"n_rows is {n_rows}, expected at least 1")
    if not rows_per_agent >= 1:
        problems.append(f"rows_per_agent is {rows_per_agent}, expected at least 1")
    if until.tzinfo is None:
        problems.append(f"until is {until.isoformat()} without zone, expected a time with zone")
    if not 0 < active_days < period_days - _LONGEST_DELAY_DAYS:
        problems.append(
            f"active_days is {active_days} in a period of {period_days} days, expected above 0 and below the "
            f"period less {_LONGEST_DELAY_DAYS:.0f} days"
        )
    if problems:
        raise ConfigError("cannot generate interactions: " + "; ".join(problems))
    n_agents = max(1, round(n_rows / rows_per_agent))
    first_day = generator.random(n_agents) * (period_days - _LONGEST_DELAY_DAYS - active_days)
    agent = np.arange(n_rows) % n_agents
    day = first_day[agent] + generator.random(n_rows) * active_days
    order = np.argsort(day, kind="stable")
    end = np.datetime64(until.astimezone(UTC).replace(tzinfo=None), "us")
    scored_at = end + ((day[order] - period_days) * _US_PER_DAY).astype(np.int64).astype("timedelta64[us]")
    delay_us = generator.exponential(_MEAN_DELAY_DAYS * _US_PER_DAY, n_rows)
    delay_us = np.clip(delay_us, _SHORTEST_DELAY_US, _LONGEST_DELAY_DAYS * _US_PER_DAY)
    outcome_at = scored_at + delay_us.astype(np.int64).astype("timedelta64[us]")
    return Timeline(agent[order], scored_at, outcome_at, n_agents)
