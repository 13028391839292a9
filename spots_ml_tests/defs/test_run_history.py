"""What Dagster's history says about a model, on a real instance, in the time of whoever asks."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
import yaml
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.storage.tags import REPOSITORY_LABEL_TAG

from spots_ml.defs.failures import refusals_in_words
from spots_ml.defs.history.run_history import ASKED_TAG, DagsterRunHistory
from spots_ml.defs.history.runs import (
    MODEL_TAG,
    PROCESS_TAG,
    STORE_TAG,
    fail_abandoned_runs,
    of_code_location,
    this_process,
)
from spots_ml.errors import ConfigError, GateError, InsufficientDataError
from spots_ml.settings import PROJECT_ROOT
from spots_ml_tests.defs.building import ORIGIN

MODEL = "calling_score"
JOB = "calling_score_training"
ASKED = datetime(2031, 5, 1, 12, tzinfo=UTC)
"""By the platform's clock, which is years ahead of the one by which Dagster stamps the runs of these tests."""

SOON = ASKED + timedelta(minutes=10)


def asked(at=ASKED, model_type=MODEL, store="embedded"):
    """The tags of a run that the sensor asked for."""
    return {MODEL_TAG: model_type, ASKED_TAG: at.isoformat(), STORE_TAG: store}


def history(runs, *, now=SOON, since=None, model_type=MODEL, store="embedded"):
    return DagsterRunHistory(runs.instance).runs(model_type, store=store, now=now, since=since)


def ids(found):
    return [run.run_id for run in found]


def failed(runs, **more):
    run = runs.run(JOB, **{"tags": asked()} | more)
    runs.instance.report_run_failed(run)
    return run


def dead_process():
    """The name of a process that has ended."""
    code = "from spots_ml.defs.history.runs import this_process; print(this_process())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("status", ["QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING"])
def test_a_run_that_is_not_over_is_in_flight_since_it_was_asked_for(runs, status):
    run = runs.run(JOB, dg.DagsterRunStatus[status], tags=asked(), remote_job_origin=ORIGIN)
    (under_way,) = history(runs).in_flight
    assert (under_way.run_id, under_way.asked_at) == (run.run_id, ASKED)


def test_a_run_that_succeeded_is_neither_in_flight_nor_ended_without_a_version(runs):
    runs.run(JOB, dg.DagsterRunStatus.SUCCESS, tags=asked())
    found = history(runs)
    assert not (found.in_flight or found.failed)


def test_a_run_by_hand_is_in_flight_too_and_its_age_is_counted_back_from_the_askers_present(runs):
    run = runs.run("training")
    an_hour_later = DagsterRunHistory(runs.instance, dagster_now=lambda: datetime.now(UTC) + timedelta(hours=1))
    (under_way,) = an_hour_later.runs(MODEL, store="embedded", now=ASKED, since=None).in_flight
    assert under_way.run_id == run.run_id
    assert ASKED - timedelta(hours=1, minutes=1) < under_way.asked_at <= ASKED - timedelta(hours=1)


@pytest.mark.parametrize("step", ["trained_model", "onnx_model", "registered_version"])
def test_a_step_of_the_model_by_hand_is_in_flight(runs, step):
    run = runs.run(None, assets={dg.AssetKey([MODEL, step])})
    assert ids(history(runs).in_flight) == [run.run_id]


@pytest.mark.parametrize("look", ["rollout", "feature_importance"])
def test_what_only_looks_at_versions_keeps_no_retraining_waiting(runs, look):
    runs.run(None, assets={dg.AssetKey([MODEL, look])})
    assert history(runs).in_flight == ()


def test_what_concerns_the_other_model_alone_is_not(runs):
    runs.run("outcome_training")
    runs.run(None, assets={dg.AssetKey(["outcome", "trained_model"])})
    runs.run("training", assets={dg.AssetKey("raw_training_data"), dg.AssetKey(["outcome", "trained_model"])})
    assert history(runs).in_flight == ()
    assert len(history(runs, model_type="outcome").in_flight) == 3


def test_a_command_line_run_is_in_flight_as_long_as_its_process_lives(runs):
    run = runs.run("training", tags={PROCESS_TAG: this_process()})
    runs.run("training", tags={PROCESS_TAG: dead_process()})
    assert ids(history(runs).in_flight) == [run.run_id]


def test_another_process_under_the_same_number_is_not_mistaken_for_the_one_that_died(runs):
    host, pid, start = this_process().rsplit(":", 2)
    runs.run("training", tags={PROCESS_TAG: f"{host}:{pid}:{int(start) + 1}"})
    assert history(runs).in_flight == ()


def test_a_process_on_another_machine_is_left_alone(runs):
    run = runs.run("training", tags={PROCESS_TAG: "elsewhere:1:1"})
    assert fail_abandoned_runs(runs.instance) == []
    assert ids(history(runs).in_flight) == [run.run_id]


def test_the_run_of_a_dead_process_is_marked_failed_and_counts_as_nobodys_failure(runs):
    run = runs.run("training", tags={PROCESS_TAG: dead_process()})
    assert fail_abandoned_runs(runs.instance) == [run.run_id]
    assert runs.instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE
    assert history(runs).failed == ()


def test_a_failed_run_is_told_in_the_askers_time(runs):
    run = failed(runs)
    (ended,) = history(runs).failed
    assert (ended.run_id, ended.asked_at, ended.told) == (run.run_id, ASKED, "")
    assert ASKED <= ended.ended_at < ASKED + timedelta(minutes=1)  # it took no longer here, whatever year it is


def test_a_cancelled_run_counts_as_a_failed_one(runs):
    run = runs.run(JOB, tags=asked())
    runs.instance.report_run_canceled(run)
    assert ids(history(runs).failed) == [run.run_id]


def test_what_was_asked_for_before_the_registration_is_over_and_at_its_very_moment_too(runs):
    failed(runs, tags=asked(ASKED - timedelta(seconds=1)))
    failed(runs)
    later = failed(runs, tags=asked(ASKED + timedelta(seconds=1)))
    assert ids(history(runs, since=ASKED).failed) == [later.run_id]
    assert len(history(runs, since=None).failed) == 3


def test_bad_settings_tried_by_hand_are_no_failed_retrainings(runs):
    runs.instance.report_run_failed(runs.run(JOB))
    runs.instance.report_run_failed(runs.run(None, assets={dg.AssetKey([MODEL, "trained_model"])}))
    assert history(runs).failed == ()


def test_the_failures_of_the_other_model_are_its_own(runs):
    failed(runs, tags=asked(model_type="outcome"))
    assert history(runs).failed == ()


def test_a_run_from_before_moments_were_noted_counts_by_its_age(runs):
    failed(runs, tags={MODEL_TAG: MODEL, STORE_TAG: "embedded"})
    (ended,) = history(runs).failed
    assert SOON - timedelta(minutes=1) < ended.ended_at <= SOON


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (GateError("the model is worse than the constant"), "refused"),
        (InsufficientDataError("12 labels; expected 1,000"), "refused"),
        (ConfigError("no such profile"), "failed"),
        (ZeroDivisionError("division by zero"), "failed"),
    ],
)
def test_a_gates_no_is_a_refusal_and_everything_else_a_failure(runs, error, outcome):
    @dg.asset
    def step():
        with refusals_in_words():
            raise error

    dg.materialize([step], instance=runs.instance, tags=asked(), raise_on_error=False)
    assert [str(error) in ended.told for ended in history(runs).failed] == ([] if outcome == "refused" else [True])


def test_a_blocking_check_that_fails_is_no_failure(runs):
    @dg.asset(check_specs=[dg.AssetCheckSpec("gate", asset="step", blocking=True)])
    def step():
        return dg.MaterializeResult(
            check_results=[dg.AssetCheckResult(check_name="gate", passed=False, description="too slow: 130 ms")]
        )

    dg.materialize([step], instance=runs.instance, tags=asked(), raise_on_error=False)
    assert history(runs).failed == ()


def test_a_refusal_beside_something_that_broke_is_a_failure(runs):
    @dg.asset
    def one():
        with refusals_in_words():
            raise GateError("no")

    @dg.asset
    def other():
        raise OSError("disk full")

    dg.materialize([one, other], instance=runs.instance, tags=asked(), raise_on_error=False)
    assert len(history(runs).failed) == 1


def test_a_failure_on_one_store_concerns_no_other(runs):
    run = failed(runs, tags=asked(store="supabase"))

    assert history(runs).failed == ()
    assert ids(history(runs, store="supabase").failed) == [run.run_id]


@pytest.mark.parametrize("job", [JOB, "training"])
def test_failures_end_with_a_success_of_the_model_on_that_store_whoever_started_it(runs, job):
    failed(runs)
    runs.run(job, dg.DagsterRunStatus.SUCCESS, tags={STORE_TAG: "embedded"})
    assert history(runs).failed == ()

    later = failed(runs)
    assert ids(history(runs).failed) == [later.run_id]


@pytest.mark.parametrize(
    ("job", "more"),
    [
        (JOB, {"tags": {STORE_TAG: "supabase"}}),
        ("outcome_training", {"tags": {STORE_TAG: "embedded"}}),
        (JOB, {"tags": {STORE_TAG: "embedded"}, "assets": {dg.AssetKey([MODEL, "trained_model"])}}),
    ],
)
def test_a_success_elsewhere_or_of_a_part_ends_no_failures(runs, job, more):
    run = failed(runs)
    runs.run(job, dg.DagsterRunStatus.SUCCESS, **more)

    assert ids(history(runs).failed) == [run.run_id]


def test_what_no_code_server_launched_is_found_among_the_runs_of_its_job_as_a_page_asks_for_them(runs):
    workspace = yaml.safe_load((PROJECT_ROOT / "workspace.yaml").read_text())
    location = workspace["load_from"][0]["python_module"]["location_name"]
    repository = runs.definitions.get_repository_def().name
    run = runs.run("training", dg.DagsterRunStatus.SUCCESS, tags=of_code_location())
    origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), repository)

    asked_for = dg.RunsFilter(job_name="training", tags={REPOSITORY_LABEL_TAG: origin.get_label()})
    assert [found.run_id for found in runs.instance.get_runs(asked_for)] == [run.run_id]


def test_every_run_of_a_training_job_says_its_store(runs):
    for job in (JOB, "outcome_training", "training"):
        assert runs.job(job).tags[STORE_TAG] == "embedded"


def test_a_killed_run_that_dagster_is_about_to_resume_is_in_flight_for_an_hour_at_most(runs):
    run = failed(runs, remote_job_origin=ORIGIN)
    assert runs.instance.get_run_by_id(run.run_id).tags["dagster/will_retry"] == "true"
    assert ids(history(runs).in_flight) == [run.run_id]
    assert history(runs, now=ASKED + timedelta(minutes=61)).in_flight == ()


def test_a_killed_run_that_was_resumed_counts_no_more_but_its_retry_does(runs):
    run = failed(runs, remote_job_origin=ORIGIN)
    tags = runs.instance.get_run_by_id(run.run_id).tags
    retry = runs.run(JOB, tags=tags, parent_run_id=run.run_id, root_run_id=run.run_id)
    runs.instance.add_run_tags(run.run_id, {"dagster/auto_retry_run_id": retry.run_id})
    assert ids(history(runs).in_flight) == [retry.run_id]

    runs.instance.report_run_canceled(retry)
    assert ids(history(runs).failed) == [run.run_id, retry.run_id]


def test_a_retry_ends_after_the_run_it_goes_on_with_although_both_were_asked_for_at_once(runs):
    run = failed(runs)
    created = runs.instance.get_run_record_by_id(run.run_id).create_timestamp
    retry = runs.run(JOB, tags=asked(), parent_run_id=run.run_id, root_run_id=run.run_id)
    runs.instance.report_run_failed(retry)
    ended = runs.instance.get_run_record_by_id(retry.run_id).end_time

    by_id = {run.run_id: run for run in history(runs).failed}
    assert by_id[retry.run_id].ended_at == ASKED + (datetime.fromtimestamp(ended, UTC) - created)
