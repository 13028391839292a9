"""`version_performance`: how the versions and the formula did, whether models answered, whether history was right."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import dagster as dg

from spots_ml.defs.assets.keys import OWNERS
from spots_ml.defs.assets.monitoring import MONITORING_GROUP, VERSION_PERFORMANCE, alert_check
from spots_ml.defs.assets.scoring import DAYS, SCORED_OPPORTUNITIES
from spots_ml.defs.failures import refusals_in_words
from spots_ml.defs.lineage import result
from spots_ml.defs.pages import tables
from spots_ml.defs.resources import Platform

if TYPE_CHECKING:
    from spots_ml.monitoring.history_check import HistoryCheck
    from spots_ml.monitoring.performance import PerformanceRow
    from spots_ml.monitoring.served_effect import ServedEffect

FALLBACK_CHECK: Final = "fallback_rate"
HISTORY_CHECK: Final = "served_history"
EFFECT_CHECK: Final = "served_effect"
PROMISE_CHECK: Final = "kept_promise"
DRIFT_CHECK: Final = "input_drift"


@dg.asset(
    key=VERSION_PERFORMANCE,
    deps=[SCORED_OPPORTUNITIES],
    group_name=MONITORING_GROUP,
    partitions_def=DAYS,
    kinds={"python"},
    owners=OWNERS,
    check_specs=[
        alert_check(
            VERSION_PERFORMANCE,
            FALLBACK_CHECK,
            "In every arm, at most SPOTS_ML_MAX_FALLBACK_SHARE of the decisions were made without a model's answer.",
        ),
        alert_check(
            VERSION_PERFORMANCE,
            HISTORY_CHECK,
            "The history features that decisions were served with are those that training computes for that moment.",
        ),
        alert_check(
            VERSION_PERFORMANCE,
            EFFECT_CHECK,
            "What was served calls, blocks and changes no more of the formula's decisions than the bounds allow that "
            "versions are let in by; too few decisions are told as such.",
        ),
        alert_check(
            VERSION_PERFORMANCE,
            PROMISE_CHECK,
            "The version in service has not lost more of its lead over the formula, on the same decisions, than "
            "SPOTS_ML_RETRAIN_TOLERATED_LOSS allows, beyond doubt; where it has, that calls for a retraining.",
        ),
        alert_check(
            VERSION_PERFORMANCE,
            DRIFT_CHECK,
            "The day's interactions are what the versions in service learned from: inputs, formula score, outcomes and "
            "their rate, an agent once, corrected over all columns and a week; enough such days call for a retraining.",
        ),
    ],
    description=(
        "Called rate, positive outcome rate, mean calling score, mean outcome score and fallback rate of each version "
        "and of the formula, over the decisions that were served on the seven days up to this one (UTC), and apart "
        "from them over those that phones report, with intervals over agents. "
        "Outcomes count once their maturity window is over."
    ),
)
def version_performance(
    context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.MaterializeResult:
    """Measure the decisions of the seven days up to the partition's, keep the numbers, check what was served."""
    from datetime import timedelta

    from spots_ml.defs.pages.performance import (
        PLOTTED_DAYS,
        claims_metadata,
        nothing_yet,
        performance_metadata,
        phones_metadata,
    )
    from spots_ml.defs.pages.watching import drift_metadata, watch_check
    from spots_ml.pipeline.monitoring_steps import measure_day
    from spots_ml.pipeline.watching.drift import watch_drifts
    from spots_ml.pipeline.watching.performance import watch_performance

    with refusals_in_words():
        store, day, now = platform.store(), context.partition_time_window.start.date(), platform.now()
        maturity = timedelta(hours=platform.settings.maturity_hours)
        measured = measure_day(store, day, now=now, maturity=maturity, recent_days=PLOTTED_DAYS)
        tolerance = platform.settings.retrain.tolerated_loss
        promise = watch_performance(store, platform.places, day, now=now, maturity=maturity, tolerance=tolerance)
        drifts = watch_drifts(
            store, platform.places, day, now=now, maturity=maturity, validation=platform.validation_config
        )
    rows = measured.rows
    for row in rows:
        context.log.info(f"{row.arm} ({row.origin}): {row.n_decisions:,} decisions, {row.n_labelled:,} labelled")
    if rows and measured.linking.n_without_decision:
        context.log.warning(str(measured.linking))
    return result(
        measured.digest,
        (
            performance_metadata(rows, measured.recent, measured.linking)
            if rows
            else nothing_yet(measured.since, measured.until)
        )
        | claims_metadata(measured.claims)
        | phones_metadata(measured.phone_claims)
        | drift_metadata(drifts),
        checks=[
            _fallback_check(rows, platform.settings.max_fallback_share),
            _history_check(measured.history),
            _effect_check(measured.effects),
            watch_check(PROMISE_CHECK, [] if promise is None else [promise]),
            watch_check(DRIFT_CHECK, drifts),
        ],
    )


def _fallback_check(rows: Sequence["PerformanceRow"], max_share: float) -> dg.AssetCheckResult:
    from spots_ml.monitoring.performance import excessive_fallbacks

    alerts = excessive_fallbacks(rows, max_share)
    highest = max((row.fallback_rate.value or 0.0 for row in rows), default=0.0)
    return dg.AssetCheckResult(
        check_name=FALLBACK_CHECK,
        passed=not alerts,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(alerts)
        or (f"at most {highest:.2%} of an arm's decisions fell back" if rows else "no decisions, so no fallbacks"),
        metadata={"measured/highest_share": tables.number(highest), "required/max_share": tables.number(max_share)},
    )


def _effect_check(effects: Sequence["ServedEffect"]) -> dg.AssetCheckResult:
    """Few decisions are told as such and are no alarm."""
    told = [
        one.too_few or f"{one.effect.told()}{''.join(f'; {problem}' for problem in one.problems)}" for one in effects
    ]
    return dg.AssetCheckResult(
        check_name=EFFECT_CHECK,
        passed=not any(one.problems for one in effects),
        severity=dg.AssetCheckSeverity.ERROR,
        description=". ".join(told) or "nothing was served, so nothing was changed",
        metadata={
            f"{one.effect.decides}/{name}": tables.number(value)
            for one in effects
            if one.too_few is None
            for name, value in {**one.effect.numbers(), "fallback_share": one.fallback.value or 0.0}.items()
        },
    )


def _history_check(found: "HistoryCheck") -> dg.AssetCheckResult:
    """Wrong history is an error; decisions that brought their own history along prove nothing, which is a warning."""
    return dg.AssetCheckResult(
        check_name=HISTORY_CHECK,
        passed=found.verdict.passed or not found.n_decisions,
        severity=dg.AssetCheckSeverity.ERROR if found.n_mismatched else dg.AssetCheckSeverity.WARN,
        description=found.verdict.message if found.n_decisions else "no decisions, so no history was served",
        metadata={
            "n_decisions": found.n_decisions,
            "n_not_served": found.n_not_served,
            "n_checked": found.n_checked,
            "n_mismatched": found.n_mismatched,
            "n_late": found.n_late,
        },
    )
