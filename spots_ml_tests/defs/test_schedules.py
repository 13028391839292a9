"""The schedules, ticked on a real instance: yesterday, and days that failed or were left out."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from spots_ml.defs.assets.scoring import DAYS
from spots_ml.defs.schedules import scoring_schedule

DUE_AT = datetime(2026, 11, 21, 4, tzinfo=UTC)
BOTH = ["scored_opportunities", "version_performance"]


@pytest.fixture
def tick(runs):
    def evaluate(due_at=DUE_AT):
        with dg.build_schedule_context(
            instance=runs.instance,
            scheduled_execution_time=due_at,
            repository_def=runs.definitions.get_repository_def(),
        ) as context:
            return scoring_schedule.evaluate_tick(context)

    return evaluate


def done(runs, day, *assets):
    for asset in assets:
        runs.instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=day))


def asked(tick):
    return [
        (request.partition_key, request.run_key, [key.to_user_string() for key in request.asset_selection])
        for request in tick.run_requests
    ]


def test_the_first_tick_asks_for_the_day_before_at_four_and_the_schedule_is_on(tick):
    assert asked(tick()) == [("2026-11-20", "2026-11-20", BOTH)]
    assert (scoring_schedule.cron_schedule, scoring_schedule.execution_timezone) == ("0 4 * * *", "UTC")
    assert scoring_schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert DAYS.get_partition_keys(current_time=DUE_AT)[-1] == "2026-11-20"


def test_both_assets_have_the_same_days(definitions):
    graph = definitions.resolve_asset_graph()
    assert {graph.get(dg.AssetKey(name)).partitions_def for name in BOTH} == {DAYS}


def test_what_is_done_is_not_asked_for_again(tick, runs):
    done(runs, "2026-11-20", *BOTH)
    assert "done or under way" in tick().skip_message


def test_a_day_whose_run_failed_is_asked_for_again_the_next_day_under_another_key(tick, runs):
    run = runs.run("scoring", tags={"dagster/partition": "2026-11-20"})
    assert "under way" in tick().skip_message
    runs.instance.report_run_failed(run)
    assert asked(tick(DUE_AT + timedelta(days=1))) == [
        ("2026-11-20", "2026-11-20 again on 2026-11-22", BOTH),
        ("2026-11-21", "2026-11-21", BOTH),
    ]


def test_a_day_that_was_scored_and_not_measured_is_measured(tick, runs):
    done(runs, "2026-11-20", "scored_opportunities")
    assert asked(tick()) == [("2026-11-20", "2026-11-20 again on 2026-11-21", ["version_performance"])]


def test_the_request_is_one_that_its_job_can_run(tick, runs):
    done(runs, "2026-11-20", "scored_opportunities")
    (request,) = tick().run_requests
    job = runs.job("scoring").get_subset(asset_selection=set(request.asset_selection))
    assert dg.validate_run_config(job, request.run_config or {}) is not None
    assert job.partitions_def == DAYS
