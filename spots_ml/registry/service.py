"""When each version was in service, by the registry's history: active, or offered to a share of the agents."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from spots_ml.registry.records import HistoryEntry

_ALWAYS: Final = np.datetime64("9999-12-31", "us")
"""The end of a period that has none yet."""


@dataclass(frozen=True)
class ServicePeriods:
    """Implements `scoring.decision_log.claims.ServiceRecord`.

    Attributes:
        periods: (kind of model, version) -> begin, inclusive, and end, exclusive, of each period (UTC).
    """

    periods: dict[tuple[str, str], tuple[tuple[np.datetime64, np.datetime64], ...]]

    def covers(
        self, model_type: str, version: str, moments: np.ndarray, *, behind: timedelta = timedelta(0)
    ) -> np.ndarray:
        """Tell whether a version was in service.

        Args:
            model_type: Which model.
            version: Its name.
            moments: `(n,)` datetime64[us] in UTC.
            behind: How long after it left service it counts as in service still.

        Returns:
            `(n,)` bool; false throughout for a version that was never registered.
        """
        covered, lag = np.zeros(len(moments), bool), np.timedelta64(behind)
        for since, until in self.periods.get((model_type, version), ()):
            covered |= (since <= moments) & (moments - lag < until)
        return covered


def service_periods(history: Iterable[HistoryEntry]) -> ServicePeriods:
    """Read out of the history when versions were in service.

    Changes follow each other by their sequence, whatever the clocks of those who made them said. A change is not later
    than any that follows it, so a period begins by the earliest of these clocks; it is not earlier than any before it,
    so a period ends by the latest of those. The clock of the store counts beside that of who made the change. Where
    clocks contradict each other or the sequence, a period is as wide as they allow: no decision that was served is
    taken for one that was not.

    Args:
        history: All changes, in the order of their sequence.

    Returns:
        The periods.
    """
    entries = tuple(history)
    clocks = np.array([[_plain(entry.at), _plain(entry.noted_at or entry.at)] for entry in entries], "datetime64[us]")
    clocks = clocks.reshape(len(entries), 2)
    earliest = np.minimum.accumulate(clocks.min(axis=1)[::-1])[::-1]
    latest = np.maximum.accumulate(clocks.max(axis=1))
    serving: dict[tuple[str, str], np.datetime64] = {}
    periods: dict[tuple[str, str], list[tuple[np.datetime64, np.datetime64]]] = defaultdict(list)
    traffic: dict[tuple[str, str], float] = {}
    for entry, since, until in zip(entries, earliest, latest, strict=True):
        key = (entry.model_type, entry.version)
        if entry.action == "traffic_set":
            traffic[key] = entry.to_value or 0.0
        elif entry.to_status != entry.from_status:
            traffic[key] = 0.0
        serves = entry.to_status == "active" or (entry.to_status == "staging" and traffic[key] > 0.0)
        if serves and key not in serving:
            serving[key] = since
        elif not serves and key in serving:
            periods[key].append((serving.pop(key), until))
    for key, since in serving.items():
        periods[key].append((since, _ALWAYS))
    return ServicePeriods({key: tuple(found) for key, found in periods.items()})


def _plain(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
