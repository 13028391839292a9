"""`all_at_a_glance`: what is live, how it does, what comes next and what needs a person; and its sensor.

The asset sorts before all others. Its sensor looks once a minute and notes a new state without a run, so that what the
page says is at most that old; it can be materialised by hand as well.
"""

from typing import TYPE_CHECKING, Final

import dagster as dg

from spots_ml.defs.assets.keys import OWNERS
from spots_ml.defs.assets.monitoring import alert_check
from spots_ml.defs.failures import refusals_in_words
from spots_ml.defs.history.run_history import DagsterRunHistory
from spots_ml.defs.resources import Platform
from spots_ml.defs.retraining_states import retraining_states
from spots_ml.defs.sensors import ATTEMPTS

if TYPE_CHECKING:
    from spots_ml.monitoring.status import ModelStatus
    from spots_ml.pipeline.status_step import PlatformStatus

OVERVIEW: Final = dg.AssetKey("all_at_a_glance")
OVERVIEW_GROUP: Final = "all_at_a_glance"
NOBODY_CHECK: Final = "nothing_needs_a_person"
_INTERVAL_S: Final = 60
_TOLD_AGAIN_AFTER_S: Final = 3600
"""How far labels have come changes all the time; it alone is no news."""


@dg.asset(
    key=OVERVIEW,
    group_name=OVERVIEW_GROUP,
    kinds={"python"},
    owners=OWNERS,
    check_specs=[
        alert_check(
            OVERVIEW,
            NOBODY_CHECK,
            "No version waits for somebody, none was taken back, no live one is damaged or unmeasured, no run failed.",
        )
    ],
    description=(
        "Per model: what answers and since when, how it did against the formula and the version before, what is rolled "
        "out and when more will be known, what comes next, what needs a person. Of one moment, which it tells; noted "
        "anew whenever something changes."
    ),
)
def all_at_a_glance(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """Read the state of the platform now."""
    from spots_ml.defs.pages.overview import overview_metadata

    with refusals_in_words():
        found = _status(context.instance, platform)
    for one in found.needs_person:
        context.log.info(one)
    return dg.MaterializeResult(metadata=overview_metadata(found), check_results=[_check(found)])


def _check(found: "PlatformStatus") -> dg.AssetCheckResult:
    needs = found.needs_person
    return dg.AssetCheckResult(
        check_name=NOBODY_CHECK,
        asset_key=OVERVIEW,
        passed=not needs,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(needs) or "nothing needs a person",
    )


def _status(instance: dg.DagsterInstance, platform: Platform) -> "PlatformStatus":
    from spots_ml.pipeline.status_step import read_status

    settings, store = platform.settings, platform.store(attempts=ATTEMPTS)
    return read_status(
        store,
        platform.places,
        retraining_states(platform, store, DagsterRunHistory(instance)),
        retraining=settings.retrain,
        rollout=settings.rollout,
        max_fallback_share=settings.max_fallback_share,
        now=platform.now(),
    )


@dg.sensor(
    name="all_at_a_glance",
    minimum_interval_seconds=_INTERVAL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Notes what is live, what comes next and what needs a person, whenever any of it has changed.",
)
def overview_sensor(
    context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]
) -> dg.SensorResult | dg.SkipReason:
    """Look, and note a state that differs from the one noted last, or that was noted an hour ago."""
    from spots_ml.defs.pages.overview import overview_metadata
    from spots_ml.digests import digest_json

    found = _status(context.instance, platform)
    state = digest_json([[one.answers, one.is_due, one.rollout, one.needs_person, _told(one)] for one in found.models])
    digest, _, noted_at = (context.cursor or "").partition(" ")
    is_recent = bool(noted_at) and found.at.timestamp() - float(noted_at) < _TOLD_AGAIN_AFTER_S
    if state == digest and is_recent:
        return dg.SkipReason("nothing has changed since it was noted last")
    return dg.SensorResult(
        cursor=f"{state} {found.at.timestamp():.0f}",
        asset_events=[
            dg.AssetMaterialization(OVERVIEW, metadata=overview_metadata(found)),
            _evaluation(found),
        ],
    )


def _told(model: "ModelStatus") -> list[str]:
    return [one.sentence for one in model.comparisons]


def _evaluation(found: "PlatformStatus") -> dg.AssetCheckEvaluation:
    result = _check(found)
    return dg.AssetCheckEvaluation(
        asset_key=OVERVIEW,
        check_name=NOBODY_CHECK,
        passed=result.passed,
        severity=result.severity,
        description=result.description,
        metadata={},
    )
