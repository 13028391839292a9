"""What is measured every day: the decisions, the formula, how much data there is.

Each reads what was made, measures it (`monitoring`), keeps what is to be kept, and says what was found; none of them
changes what ships.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

from spots_ml.digests import digest_json
from spots_ml.errors import InsufficientDataError
from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.keeping.interaction_store import ArrivedLabels
from spots_ml.interactions.learning.report import DatasetReport
from spots_ml.interactions.learning.validation import load_dataset, read_report
from spots_ml.monitoring.arrival_rate import arrivals
from spots_ml.monitoring.data_forecast import Sufficiency, measure_sufficiency, report_of_snapshot
from spots_ml.monitoring.formula_baseline import FormulaBaseline, measure_baseline, save_baseline
from spots_ml.monitoring.history_check import HistoryCheck, check_served_history
from spots_ml.monitoring.outcome_linking import OutcomeLinking, link_outcomes
from spots_ml.monitoring.performance import (
    PerformanceRow,
    count_claims,
    decision_window,
    measure_performance,
    served_among,
)
from spots_ml.monitoring.served_effect import ServedEffect, measure_served
from spots_ml.places import Places
from spots_ml.registry.service import service_periods
from spots_ml.scoring.decision_log.phone_claims import count_reports, counted_reports, judge_reports
from spots_ml.scoring.decision_log.phone_decisions import PHONE
from spots_ml.scoring.decision_log.reported_outcomes import with_reported_outcomes
from spots_ml.stores.store import Store

SEED: Final = 0
"""Of every resampling and sample here: the same decisions always give the same intervals."""
HISTORY_SAMPLE: Final = 1_000
"""Decisions whose served history is computed again, at most."""
_NOTHING_VALIDATED: Final = "was validated in this Dagster instance yet; materialise validated_dataset"


@dataclass(frozen=True)
class DayMeasured:
    """What came of measuring the decisions of the days up to one day.

    Attributes:
        since: Start of these days, inclusive (UTC).
        until: Their end, exclusive.
        claims: Decisions of these days by their claim: only those that were served are measured.
        phone_claims: Decisions that phones reported of these days, by what became of them: only those that count
            are measured.
        rows: One per arm of what was served, then one per arm of what phones decided; possibly none.
        recent: What is kept of the days before, and of this one.
        history: Whether the decisions were served with the right history.
        linking: How many outcomes of these days belong to no decision.
        effects: What each arm did to the decision, of what was served.
    """

    since: datetime
    until: datetime
    claims: dict[str, int]
    phone_claims: dict[str, int]
    rows: tuple[PerformanceRow, ...]
    recent: tuple[PerformanceRow, ...]
    history: HistoryCheck
    linking: OutcomeLinking
    effects: tuple[ServedEffect, ...]

    @property
    def digest(self) -> str:
        """Identity of the rows."""
        return digest_json([row.model_dump(mode="json") for row in self.rows])


def measure_day(store: Store, day: date, *, now: datetime, maturity: timedelta, recent_days: int) -> DayMeasured:
    """Measure the decisions of the seven days up to one day, keep the numbers, check what was served.

    Args:
        store: Decisions, reports of phones, interactions, the registry and performance.
        day: The last day (UTC).
        now: The present, with a time zone.
        maturity: How long an outcome may take.
        recent_days: For how many days up to this one what is kept is read again, at least 1.

    Returns:
        What was found.

    Raises:
        ConfigError: When the day lies ahead.
    """
    since, until = decision_window(day)
    reports = store.phones.read_phone_decisions(since, until)
    decisions = with_reported_outcomes(store.decisions.read_decisions(since, until), reports)
    rows = measure_performance(decisions, day=day, now=now, maturity=maturity, seed=SEED)
    served = served_among(decisions)
    judged = judge_reports(reports, service_periods(store.versions.history()), served)
    rows += measure_performance(
        counted_reports(reports, judged), day=day, now=now, maturity=maturity, origin=PHONE, seed=SEED
    )
    store.performance.save_performance(rows, now=now)
    recent = store.performance.read_performance(day - timedelta(days=recent_days - 1), day + timedelta(days=1))
    history = check_served_history(
        store.decisions, store.interactions, since=since, until=until, sample=HISTORY_SAMPLE, seed=SEED
    )
    linking = link_outcomes(served, reports, store.interactions, since=since, until=until)
    return DayMeasured(
        since,
        until,
        count_claims(decisions),
        count_reports(judged),
        rows,
        recent,
        history,
        linking,
        measure_served(decisions, seed=SEED),
    )


@dataclass(frozen=True)
class BaselineKept:
    """What the formula achieved.

    Attributes:
        digest: Identity of the document.
        path: Its file.
        baseline: What was measured.
    """

    digest: str
    path: Path
    baseline: FormulaBaseline


def measure_formula(
    places: Places, dataset_digest: str | None, *, now: datetime, maturity: timedelta
) -> BaselineKept | str:
    """Measure the formula on a dataset, keep what was found.

    Args:
        places: Where datasets lie, and baselines are kept.
        dataset_digest: Which dataset; None: there is none yet.
        now: The present, with a time zone.
        maturity: How long an outcome may take.

    Returns:
        What was found; a sentence as long as there is nothing to measure, which is no failure: the first outcomes are
        under way then.

    Raises:
        ArtifactError: When the dataset is missing or damaged.
    """
    if dataset_digest is None:
        return f"no dataset {_NOTHING_VALIDATED}"
    report, table = load_dataset(places.datasets_dir, dataset_digest)
    try:
        baseline = measure_baseline(
            table, dataset_digest=dataset_digest, kind=report.kind, now=now, maturity=maturity, seed=SEED
        )
    except InsufficientDataError as error:
        return str(error)
    digest = save_baseline(baseline, places.baselines_dir)
    return BaselineKept(digest, places.baselines_dir / f"{digest}.json", baseline)


@dataclass(frozen=True)
class DataMeasured:
    """How much data there is.

    Attributes:
        report: What validation found last; None: nothing was validated.
        found: It, held against what is needed.
        n_in_store: Labels in the store.
        message: One line for a person.
    """

    report: DatasetReport | None
    found: Sufficiency
    n_in_store: int
    message: str


def measure_data(
    places: Places,
    labels: ArrivedLabels,
    *,
    snapshot_digest: str | None,
    dataset_digest: str | None,
    validation: ValidationConfig,
    now: datetime,
) -> DataMeasured:
    """Hold what was validated last against what is needed.

    Args:
        places: Where datasets lie.
        labels: Counts the labels of the store.
        snapshot_digest: The newest snapshot: a dataset that was too small never became one, but it is what counts here.
        dataset_digest: The newest dataset, for when that snapshot was not validated.
        validation: The thresholds it was validated with.
        now: The present, with a time zone.

    Returns:
        What is present, required and missing.

    Raises:
        ArtifactError: When the dataset is missing or damaged.
    """
    report = None
    if snapshot_digest is not None:
        report = report_of_snapshot(places.datasets_dir, snapshot_digest, validation.digest())
    if report is None and dataset_digest is not None:
        report = read_report(places.datasets_dir, dataset_digest)
    n_in_store = labels.count_labels_after(None)
    if report is None:
        return DataMeasured(None, measure_sufficiency(0, 0, now=now), n_in_store, f"nothing {_NOTHING_VALIDATED}")
    _, table = load_dataset(places.datasets_dir, report.digest)
    found = measure_sufficiency(
        report.n_accepted,
        report.n_counted_labels,
        coverage=report.label_coverage,
        arrived=arrivals(table),
        now=now,
    )
    return DataMeasured(report, found, n_in_store, f"{report.kind} data: {found.message()}")
