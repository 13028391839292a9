"""The schedules: what is done by the clock, whatever happened."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

import dagster as dg

from spots_ml.defs.assets.monitoring import VERSION_PERFORMANCE
from spots_ml.defs.assets.scoring import DAYS, SCORED_OPPORTUNITIES
from spots_ml.defs.jobs import DAILY_MONITORING, DRILLS, SCORING
from spots_ml.monitoring.days_due import DayDue, Progress, days_due

LOOK_BACK_DAYS: Final = 7
"""A day that failed is asked for again this often, once a day."""

_DAILY_STEPS: Final = (SCORED_OPPORTUNITIES, VERSION_PERFORMANCE)
_PROGRESS: Final[dict[str, Progress]] = {"MATERIALIZED": "done", "IN_PROGRESS": "under way", "FAILED": "failed"}

DAILY_MONITORING_SCHEDULE: Final = dg.ScheduleDefinition(
    name="daily_monitoring",
    job=DAILY_MONITORING,
    cron_schedule="0 5 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every day at 05:00 UTC: what the formula manages, and how much data there is.",
)

WEEKLY_DRILL: Final = dg.ScheduleDefinition(
    name="drills",
    job=DRILLS,
    cron_schedule="0 6 * * 1",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every Monday at 06:00 UTC: whether what must be taken back would be, and how long that takes.",
)


@dg.schedule(
    job=SCORING,
    name="scoring",
    cron_schedule="0 4 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=(
        "Every day at 04:00 UTC: scores the pairs of the day before, then measures how each version did. Days of the "
        "last week that failed or were left out are asked for again. A day without any pairs gives an empty file."
    ),
)
def scoring_schedule(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
    """Ask for yesterday, seen from when the tick was due, however late it comes, and for what is still owed."""
    due_at = context.scheduled_execution_time.astimezone(UTC)
    yesterday = due_at.date() - timedelta(days=1)
    owed = days_due(day_progress(context.instance, due_at), yesterday=yesterday, look_back=LOOK_BACK_DAYS)
    if not owed:
        return dg.SkipReason(f"{yesterday} and the days before it are done or under way")
    return [_request(day, due_at.date()) for day in owed]


def day_progress(instance: dg.DagsterInstance, now: datetime) -> dict[str, dict[date, Progress]]:
    """Look up how far scoring and measuring of each day are.

    Args:
        instance: Dagster's event log.
        now: The present (UTC).

    Returns:
        By asset, then by day; days that were never asked for are left out.
    """
    keys = DAYS.get_partition_keys(current_time=now)
    return {
        asset.to_user_string(): {
            date.fromisoformat(key): _PROGRESS[status.value]
            for key, status in (instance.get_status_by_partition(asset, keys, DAYS) or {}).items()
            if status is not None
        }
        for asset in _DAILY_STEPS
    }


def _request(owed: DayDue, today: date) -> dg.RunRequest:
    """The key of a first request is the day, so that a tick that is evaluated twice asks once."""
    return dg.RunRequest(
        run_key=f"{owed.day} again on {today}" if owed.again else f"{owed.day}",
        partition_key=f"{owed.day}",
        asset_selection=[key for key in _DAILY_STEPS if key.to_user_string() in owed.steps],
    )


SCHEDULES: Final = (scoring_schedule, DAILY_MONITORING_SCHEDULE, WEEKLY_DRILL)
