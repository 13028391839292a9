"""Taking an export into the store: its interactions, what it tells of phones' decisions, what it leaves unlinked."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.interactions.judging.intake import ImportReport
from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.source import InteractionStream
from spots_ml.monitoring.outcome_linking import NEAR, OutcomeLinking, link_outcomes
from spots_ml.monitoring.performance import served_among
from spots_ml.scoring.decision_log.same_decision import SAME_DECISION
from spots_ml.scoring.decision_log.told_reports import read_reports
from spots_ml.stores.store import Store

_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class Imported:
    """What came of an export.

    Attributes:
        report: What became of its interactions.
        n_reports: Decisions of phones that it told and that are kept.
        linking: How many outcomes of its period belong to no decision; None: no decision of that period is known, so
            that nothing can be said.
    """

    report: ImportReport
    n_reports: int
    linking: OutcomeLinking | None


def import_export(
    store: Store, path: Path, stream: InteractionStream, *, now: datetime, config: ValidationConfig
) -> Imported:
    """Take an export in; what is known already changes nothing.

    Interactions are taken in first, all or nothing, then what is told of phones' decisions, all or nothing: the same
    import again makes up for what a killed one has left.

    Args:
        store: The store.
        path: The export.
        stream: Its interactions, as `reading.export.read_export` opens them.
        now: The present, with a time zone.
        config: The rules each record is held against.

    Returns:
        What came of it.

    Raises:
        InputError: When the file turns out to be broken while it is read.
        ValidationFailedError: When more of its records are broken than the rules allow.
    """
    kind, period = stream.kind, _Period()
    report = store.interactions.import_interactions(stream, now=now, config=config)
    # Only real outcomes are evidence of anything.
    n_reports = store.phones.keep_reports(period.noted(read_reports(path)), now=now) if kind == "real" else 0
    return Imported(report, n_reports, _linking(store, period))


@dataclass
class _Period:
    """From the first to the last moment of what was read."""

    moments: list[datetime] = field(default_factory=list)

    def noted(self, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        for table in tables:
            ends = pc.min_max(table["decided_at"]).as_py()
            self.moments += [moment for moment in ends.values() if moment is not None]
            yield table


def _linking(store: Store, period: _Period) -> OutcomeLinking | None:
    if not period.moments:
        return None
    since, until = min(period.moments), max(period.moments) + _TICK
    # A file may bring outcomes alone, each some way off its decision.
    around = since - NEAR, until + NEAR
    served = served_among(store.decisions.read_decisions(*around, columns=("origin", *SAME_DECISION)))
    reports = store.phones.read_phone_decisions(*around)
    if served.num_rows + reports.num_rows == 0:
        return None
    return link_outcomes(served, reports, store.interactions, since=since, until=until)
