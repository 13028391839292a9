"""Checking what an app sends: what a store holds of it, or an export that is imported nowhere."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.experiments.rollout import stage_periods
from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.kinds import SourceKind
from spots_ml.interactions.reading.export import read_export
from spots_ml.monitoring.outcome_linking import link_outcomes
from spots_ml.monitoring.performance import served_among
from spots_ml.monitoring.proof.finding import Finding
from spots_ml.monitoring.proof.log_check import LogFacts, check_log
from spots_ml.registry.service import service_periods
from spots_ml.scoring.decision_log.phone_claims import judge_reports
from spots_ml.scoring.decision_log.same_decision import SAME_DECISION
from spots_ml.scoring.decision_log.told_reports import acceptable, read_reports, reporting
from spots_ml.stores.embedded.store import embedded_store
from spots_ml.stores.store import Store


@dataclass
class _Told:
    """What is counted of an export on its way into a store."""

    kind: SourceKind = "real"
    n_silent: int = 0
    n_unkept: int = 0
    n_untimed: int = 0

    def counted(self, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        for table in tables:
            is_report, kept = reporting(table), acceptable(table)
            untimed = table["reported_at"].is_null().to_numpy()
            self.n_silent += int(np.count_nonzero(~is_report))
            self.n_unkept += int(np.count_nonzero(is_report & ~kept))
            self.n_untimed += int(np.count_nonzero(is_report & kept & untimed))
            # When it was written is not known: what else is wrong is to be seen all the same.
            place = table.schema.get_field_index("reported_at")
            written = pc.coalesce(table["reported_at"], table["decided_at"])
            yield table.set_column(place, table.schema.field(place), written)


def check_kept_log(
    store: Store, *, since: datetime, until: datetime, now: datetime, maturity: timedelta
) -> tuple[Finding, ...]:
    """Say what is missing for proof in what a store holds of a period.

    Args:
        store: The store.
        since: Start of the period, with a time zone; inclusive.
        until: Its end; exclusive.
        now: The present, with a time zone.
        maturity: How long an outcome may take.

    Returns:
        The findings.

    Raises:
        InputError: When something cannot be read.
    """
    return _checked(store, store, _Told(), since=since, until=until, now=now, maturity=maturity, of_file=False)


def check_told_export(store: Store, path: Path, *, now: datetime, maturity: timedelta) -> tuple[Finding, ...]:
    """Say what is missing for proof in an export; nothing of it is kept.

    Args:
        store: What knows which versions were in service, and which rollouts there were.
        path: The export.
        now: The present, with a time zone.
        maturity: How long an outcome may take.

    Returns:
        The findings.

    Raises:
        InputError: When the file is no export.
    """
    with tempfile.TemporaryDirectory() as folder:
        apart = embedded_store(Path(folder) / "checked.sqlite")
        stream = read_export(path)
        told = _Told(stream.kind)
        lenient = ValidationConfig(max_broken_share=1.0)
        apart.interactions.import_interactions(stream, now=now, config=lenient)
        if stream.kind == "real":
            apart.phones.keep_reports(told.counted(read_reports(path)), now=now)
        ever = {"since": now - timedelta(days=36_500), "until": now + timedelta(days=1)}
        return _checked(store, apart, told, **ever, now=now, maturity=maturity, of_file=True)


def _checked(
    known: Store,
    holding: Store,
    told: _Told,
    *,
    since: datetime,
    until: datetime,
    now: datetime,
    maturity: timedelta,
    of_file: bool,
) -> tuple[Finding, ...]:
    reports = holding.phones.read_phone_decisions(since, until)
    served = served_among(holding.decisions.read_decisions(since, until, columns=("origin", *SAME_DECISION)))
    claims = judge_reports(reports, service_periods(known.versions.history()), served)
    linking = None
    if served.num_rows + reports.num_rows:
        linking = link_outcomes(served, reports, holding.interactions, since=since, until=until)
    rollouts = [
        (rollout, stage_periods(known.rollouts.rollout_events(rollout.number)))
        for rollout in known.rollouts.list_rollouts()
    ]
    return check_log(
        LogFacts(
            reports,
            claims,
            linking,
            rollouts,
            now,
            maturity,
            n_silent=told.n_silent if of_file else None,
            kind=told.kind,
            n_unkept=told.n_unkept,
            n_untimed=told.n_untimed,
        )
    )
