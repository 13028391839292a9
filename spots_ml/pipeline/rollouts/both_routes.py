"""Reads what was decided by both routes, what of each counts: served by the service, and reported by phones."""

from datetime import datetime

import pyarrow as pa

from spots_ml.monitoring.performance import served_among
from spots_ml.registry.service import service_periods
from spots_ml.scoring.decision_log.phone_claims import counted_reports, judge_reports
from spots_ml.scoring.decision_log.reported_outcomes import with_reported_outcomes
from spots_ml.stores.store import Store


def read_both_routes(store: Store, since: datetime, until: datetime) -> tuple[pa.Table, pa.Table]:
    """Read decisions of some time.

    Args:
        store: The decision log, the reports of phones, and the registry's history, which judges them.
        since: Begin, inclusive (UTC).
        until: End, exclusive.

    Returns:
        What was served, and what phones reported and nothing speaks against; each with outcomes as they are known now.
    """
    reports = store.phones.read_phone_decisions(since, until)
    served = served_among(with_reported_outcomes(store.decisions.read_decisions(since, until), reports))
    judged = judge_reports(reports, service_periods(store.versions.history()), served)
    return served, counted_reports(reports, judged)
