"""When each version was in service, by the registry's history: active, or offered to a share of the agents."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
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

    Args:
        history: All changes, in the order of their sequence.

    Returns:
        The periods. A change whose clock lay behind that of the one before it ends a period where it began: such a
        period is empty.
    """
    serving: dict[tuple[str, str], np.datetime64] = {}
    periods: dict[tuple[str, str], list[tuple[np.datetime64, np.datetime64]]] = defaultdict(list)
    traffic: dict[tuple[str, str], float] = {}
    for entry in history:
        key = (entry.model_type, entry.version)
        at = np.datetime64(round(entry.at.timestamp() * 1e6), "us")
        if entry.action == "traffic_set":
            traffic[key] = entry.to_value or 0.0
        elif entry.to_status != entry.from_status:
            traffic[key] = 0.0
        serves = entry.to_status == "active" or (entry.to_status == "staging" and traffic[key] > 0.0)
        if serves and key not in serving:
            serving[key] = at
        elif not serves and key in serving:
            periods[key].append((serving.pop(key), at))
    for key, since in serving.items():
        periods[key].append((since, _ALWAYS))
    return ServicePeriods({key: tuple(found) for key, found in periods.items()})
