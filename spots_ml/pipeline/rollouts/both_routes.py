"""Reads what was decided by both routes, what of each counts: served by the service, and reported by phones."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

import pyarrow as pa

from spots_ml.experiments.decided import DECIDED, decided_once
from spots_ml.monitoring.performance import served_among
from spots_ml.registry.service import service_periods
from spots_ml.scoring.decision_log.phone_claims import counted_reports, judge_reports
from spots_ml.scoring.decision_log.reported_outcomes import with_reported_outcomes
from spots_ml.stores.store import Store

_ALWAYS: Final = frozenset(
    {
        *("origin", "agent_id", "opportunity_id", "decided_at"),
        *("outcome_type", "outcome_score", "outcome_at", "first_outcome_at"),
    }
)
"""What tells which decision counts, and what came of it."""
_OF_UNITS: Final = frozenset(DECIDED.names) - {"by_phone"}


def read_decided(store: Store, since: datetime, until: datetime) -> pa.Table:
    """Read what was decided by either route, each decision once.

    Args:
        store: See `read_both_routes`.
        since: Begin, inclusive (UTC).
        until: End, exclusive.

    Returns:
        Rows of schema `experiments.decided.DECIDED`.
    """
    return decided_once(*read_both_routes(store, since, until, columns=_OF_UNITS))


def read_both_routes(
    store: Store, since: datetime, until: datetime, *, columns: Collection[str] | None = None
) -> tuple[pa.Table, pa.Table]:
    """Read decisions of some time.

    Args:
        store: The decision log, the reports of phones, and the registry's history, which judges them.
        since: Begin, inclusive (UTC).
        until: End, exclusive.
        columns: What is asked for of what was served, beside whose it is and what came of it; None: everything. Of a
            million decisions all of it is half a gigabyte.

    Returns:
        What was served, and what phones reported and nothing speaks against; each with outcomes as they are known now.
    """
    reports = store.phones.read_phone_decisions(since, until)
    asked = None if columns is None else _ALWAYS | set(columns)
    decisions = store.decisions.read_decisions(since, until, columns=asked)
    served = served_among(with_reported_outcomes(decisions, reports))
    judged = judge_reports(reports, service_periods(store.versions.history()), served)
    return served, counted_reports(reports, judged)
