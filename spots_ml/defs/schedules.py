"""The schedules: what is done by the clock, whatever happened."""

from datetime import UTC, timedelta
from typing import Final

import dagster as dg

from spots_ml.defs.jobs import DAILY_MONITORING, SCORING

DAILY_MONITORING_SCHEDULE: Final = dg.ScheduleDefinition(
    name="daily_monitoring",
    job=DAILY_MONITORING,
    cron_schedule="0 5 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every day at 05:00 UTC: how each version did, what the formula manages, and how much data there is.",
)


@dg.schedule(
    job=SCORING,
    name="scoring",
    cron_schedule="0 4 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every day at 04:00 UTC: scores the pairs of the day before; a day without any gives an empty file.",
)
def scoring_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Ask for yesterday, seen from when the tick was due, however late it comes; monitoring counts it an hour later."""
    yesterday = context.scheduled_execution_time.astimezone(UTC) - timedelta(days=1)
    return dg.RunRequest(run_key=f"{yesterday:%Y-%m-%d}", partition_key=f"{yesterday:%Y-%m-%d}")


SCHEDULES: Final = (scoring_schedule, DAILY_MONITORING_SCHEDULE)
