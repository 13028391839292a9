"""`rollback_drill`: what must be taken back would be, and how long that takes; rehearsed every week."""

from typing import TYPE_CHECKING, Final

import dagster as dg

from spots_ml.defs.assets.keys import OWNERS
from spots_ml.defs.assets.monitoring import MONITORING_GROUP, alert_check
from spots_ml.defs.lineage import result
from spots_ml.defs.resources import Platform

if TYPE_CHECKING:
    from spots_ml.pipeline.rollouts.drill import DrillReport

ROLLBACK_DRILL: Final = dg.AssetKey("rollback_drill")
IN_TIME_CHECK: Final = "taken_back_in_time"
_PAST: Final = 26
"""Reports that are shown: half a year of weeks."""


@dg.asset(
    key=ROLLBACK_DRILL,
    group_name=MONITORING_GROUP,
    kinds={"python"},
    owners=OWNERS,
    check_specs=[
        alert_check(
            ROLLBACK_DRILL,
            IN_TIME_CHECK,
            "In each drill the version before answered again within five seconds of the trouble being detected.",
        )
    ],
    description=(
        "A corrupt artifact, a version that does not answer, and one that does harm, each in a place of its own with "
        "two tiny versions: how long it took from detection until what was there before answered. Touches nothing of "
        "production."
    ),
)
def rollback_drill(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """Rehearse, keep the report, show those of the past."""
    from spots_ml.defs.pages.drill import drill_metadata
    from spots_ml.digests import digest_json
    from spots_ml.pipeline.rollouts.drill import past_drills, rehearse, save_drill

    report = rehearse(now=platform.now())
    path = save_drill(report, platform.places.drills_dir)
    for one in report.results:
        context.log.info(f"{one.name}: {'in time' if one.passed else 'NOT IN TIME'}, {one.took_s:.2f} s; {one.told}")
    past = past_drills(platform.places.drills_dir, limit=_PAST)
    return result(
        digest_json(report.model_dump(mode="json")), drill_metadata(report, past, path), checks=[_check(report)]
    )


def _check(report: "DrillReport") -> dg.AssetCheckResult:
    failed = [f"{one.name}: {one.took_s:.1f} s; {one.told}" for one in report.results if not one.passed]
    slowest = max(one.took_s for one in report.results)
    return dg.AssetCheckResult(
        check_name=IN_TIME_CHECK,
        passed=report.passed,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(failed) or f"all of {len(report.results)}, the slowest in {slowest:.2f} s",
        metadata={"measured/slowest_s": slowest, "required/limit_s": report.limit_s},
    )
