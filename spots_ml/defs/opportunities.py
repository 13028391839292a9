"""Which pairs of a day are scored: the one place where the setting is turned into requests."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from spots_ml.defs.resources import Platform

if TYPE_CHECKING:
    import pyarrow as pa

    from spots_ml.requests.of_day import DayCount
    from spots_ml.scoring.decision_log.fields import Origin


@dataclass(frozen=True)
class DayOfRequests:
    """What is to be scored for a day.

    Attributes:
        origin: `served` for candidate pairs, `replayed` for interactions of the store.
        batches: The requests, read once.
        count: How many rows fell on the day; complete when the batches are read.
        description: Where they come from, in words.
        watermark: The label watermark the store is read at; None: candidate pairs.
    """

    origin: "Origin"
    batches: Iterator["pa.RecordBatch"]
    count: "DayCount"
    description: str
    watermark: str | None = None


def open_day(platform: Platform, start: datetime, end: datetime) -> DayOfRequests:
    """Open the requests of a day.

    Candidate pairs when the settings name some; a pair without a moment is a candidate of every day, decided at its
    begin. Otherwise the store's interactions of that day; those without a moment belong to no day.

    Args:
        platform: Where things are kept.
        start: Begin of the day (UTC).
        end: Its end.

    Returns:
        The requests, read as they are asked for; none when the store is empty.

    Raises:
        InputError: When the source cannot be read as what it claims to be (here, or while it is read).
    """
    from spots_ml.interactions.keeping.interaction_store import EmptyStoreError
    from spots_ml.requests.of_day import DayCount, interactions_as_requests, of_day, read_pairs

    count, path = DayCount(), platform.settings.opportunities
    if path is not None:
        batches = of_day(read_pairs(path), start, end, count, undated=True)
        return DayOfRequests("served", batches, count, f"candidate pairs of {path}")
    store = platform.store().interactions
    reached = store.label_watermark()
    try:
        known = store.read_interactions(reached, since=start, until=end).batches
    except EmptyStoreError:
        known = iter(())
    batches = of_day(interactions_as_requests(known), start, end, count, undated=False)
    return DayOfRequests("replayed", batches, count, "interactions of the store", reached)
