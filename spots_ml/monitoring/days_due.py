"""Which days are to be scored and measured: yesterday, and those of the last days that failed or were left out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

Progress = Literal["missing", "under way", "failed", "done"]
"""How far one step of one day has come; `missing`: it was never asked for."""


@dataclass(frozen=True)
class DayDue:
    """A day that is to be asked for.

    Attributes:
        day: The day (UTC).
        steps: What of it, in the order in which one builds on the other; at least one.
        again: Whether the day was due before.
    """

    day: date
    steps: tuple[str, ...]
    again: bool


def days_due(progress: Mapping[str, Mapping[date, Progress]], *, yesterday: date, look_back: int) -> tuple[DayDue, ...]:
    """Find the days that are to be asked for.

    Yesterday is due until it is done. An earlier day is due again when a step of it failed, or when it is missing
    although days before it were asked for: nobody was there to ask. What lies before the first day that was ever asked
    for is owed to nobody. A step that is to be done again takes along those that build on it; a day with a step under
    way waits.

    Args:
        progress: How far each step is, by day; steps in the order in which one builds on the other. Days that are left
            out are missing.
        yesterday: The last day that is over.
        look_back: How many days before it are looked at.

    Returns:
        The oldest first; empty when everything is done or under way.

    >>> yesterday = date(2026, 11, 24)
    >>> so_far = {"scores": {date(2026, 11, 23): "done"}, "performance": {date(2026, 11, 23): "failed"}}
    >>> [(due.day.day, due.steps) for due in days_due(so_far, yesterday=yesterday, look_back=7)]
    [(23, ('performance',)), (24, ('scores', 'performance'))]
    """
    asked_for = [day for of_step in progress.values() for day, state in of_step.items() if state != "missing"]
    first = max(min(asked_for, default=yesterday), yesterday - timedelta(days=look_back))
    days = (first + timedelta(days=number) for number in range((yesterday - first).days + 1))
    return tuple(
        DayDue(day, steps, again=day < yesterday or day in asked_for)
        for day in days
        if (steps := _steps_due({name: of_step.get(day, "missing") for name, of_step in progress.items()}))
    )


def _steps_due(of_day: Mapping[str, Progress]) -> tuple[str, ...]:
    if "under way" in of_day.values():
        return ()
    names = tuple(of_day)
    first = next((place for place, name in enumerate(names) if of_day[name] != "done"), len(names))
    return names[first:]
