"""The sensors, tick by tick on a real instance over real stores."""

import dataclasses
import subprocess
import sys
from datetime import timedelta

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from spots_ml.defs.resources import Platform
from spots_ml.defs.runs import PROCESS_TAG, this_process
from spots_ml.defs.sensors import MODEL_TAG, REASON_TAG, SENSORS, retrain_state
from spots_ml.stores.supabase.transport.refusals import UnavailableError
from spots_ml_tests.defs.building import World

ORIGIN = RemoteJobOrigin(
    RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("spots_ml"), "__repository__"), "calling_score_training"
)
"""What Dagster notes on a run that it launched itself, and needs to launch it again."""


@pytest.fixture
def due(world):
    """A version, and 1,000 new labels since its data."""
    world.labels_arrive(500)
    world.register(watermark=world.store.label_watermark())
    world.labels_arrive(1_000)
    return world


def only_request(tick):
    assert tick.skip_message is None
    (request,) = tick.run_requests
    return request


def skipped(tick):
    assert not tick.run_requests
    return tick.skip_message


def source_of(request):
    return request.run_config["ops"]["raw_training_data"]["config"]["source"]


def dead_process():
    """The name of a process that has ended."""
    done = subprocess.run(
        [sys.executable, "-c", "from spots_ml.defs.runs import this_process; print(this_process())"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_both_models_have_a_sensor_that_is_on_by_default():
    assert {sensor.name for sensor in SENSORS} == {"retrain_calling_score", "retrain_outcome"}
    assert all(sensor.default_status is dg.DefaultSensorStatus.RUNNING for sensor in SENSORS)


def test_an_empty_world_says_that_there_is_nothing_yet(world):
    assert skipped(world.tick()) == "0 of 1,000 new labels; no version yet, so not by time"


def test_nothing_new_waits_and_says_how_far_it_is(world):
    world.labels_arrive(500)
    world.register(watermark=world.store.label_watermark())
    due_at = world.clock() + timedelta(days=7)
    assert skipped(world.tick()) == f"0 of 1,000 new labels; next by time on {due_at:%Y-%m-%d %H:%M} UTC"


def test_999_new_labels_wait_and_1000_retrain(world):
    world.labels_arrive(500)
    world.register(watermark=world.store.label_watermark())
    world.labels_arrive(999)
    assert skipped(world.tick()).startswith("999 of 1,000 new labels; next by time on ")

    world.labels_arrive(1)
    request = only_request(world.tick())
    assert request.tags[REASON_TAG] == "1,000 new labels have arrived (threshold 1,000)"
    assert request.tags[MODEL_TAG] == "calling_score"


def test_without_any_version_all_labels_count(world):
    world.labels_arrive(1_000)
    assert only_request(world.tick())


def test_seven_days_after_the_registration_it_retrains_and_not_a_second_earlier(world):
    world.labels_arrive(500)
    world.register(watermark=world.store.label_watermark())
    world.clock.advance(days=6, hours=23, minutes=59, seconds=59)
    assert skipped(world.tick()).startswith("0 of 1,000 new labels")

    world.clock.advance(seconds=1)
    assert "7 days old" in only_request(world.tick()).tags[REASON_TAG]


def test_thresholds_come_from_the_settings(world):
    retrain = world.settings.retrain.model_copy(update={"new_labels": 10})
    world = World(world.instance, dataclasses.replace(world.settings, retrain=retrain), world.clock)
    world.labels_arrive(9)
    assert skipped(world.tick()).startswith("9 of 10 new labels")
    world.labels_arrive(1)
    assert only_request(world.tick())


def test_the_request_is_valid_for_its_job_and_reads_the_store(due):
    request = only_request(due.tick())
    job = due.job("calling_score_training")
    assert dg.validate_run_config(job, request.run_config)

    read = job.execute_in_process(
        run_config=request.run_config, instance=due.instance, asset_selection=[dg.AssetKey("raw_training_data")]
    )
    (event,) = read.get_asset_materialization_events()
    metadata = event.step_materialization_data.materialization.metadata
    assert metadata["source"].value == "embedded"
    assert metadata["dagster/row_count"].value == 1_500
    assert metadata["label_watermark"].value == due.store.label_watermark()


@pytest.mark.parametrize(("watermark", "source"), [(None, "synthetic"), ("500/500", "embedded")])
def test_when_only_time_passed_it_learns_from_where_the_newest_version_learned(world, watermark, source):
    world.labels_arrive(500)
    world.register(watermark=watermark)
    world.clock.advance(days=7)
    assert source_of(only_request(world.tick())) == source


@pytest.mark.parametrize("first", [True, False], ids=["without a version", "after a version of generated data"])
def test_from_a_thousand_labels_on_it_learns_from_the_store(world, first):
    if not first:
        world.register(version="v1.0-synthetic", watermark=None)
        world.clock.advance(days=7)
    world.labels_arrive(999)
    assert skipped(world.tick()) if first else source_of(only_request(world.tick())) == "synthetic"

    world.labels_arrive(1)
    assert source_of(only_request(world.tick())) == "embedded"


def test_once_it_learned_from_the_store_it_stays_there_however_few_labels_are_new(world):
    world.labels_arrive(1_000)
    world.register(watermark=world.store.label_watermark())
    world.labels_arrive(1)
    world.clock.advance(days=7)
    assert source_of(only_request(world.tick())) == "embedded"


def test_a_watermark_of_the_other_kind_of_store_says_nothing_and_every_label_counts(world):
    world.labels_arrive(999)
    world.register(watermark="supabase:5000/9000")
    assert skipped(world.tick()).startswith("999 of 1,000 new labels")

    world.clock.advance(days=7)
    assert source_of(only_request(world.tick())) == "synthetic"


def test_a_project_that_cannot_be_reached_ends_the_tick_in_words_before_dagster_does(world, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    settings = dataclasses.replace(
        world.settings, store="supabase", supabase_url="http://127.0.0.1:9", supabase_key="sb_secret_1"
    )
    platform = Platform(settings, now=world.clock)
    with pytest.raises(UnavailableError, match=r"could not look up a version .*, sent 2 times; check the network"):
        retrain_state(world.instance, platform, "calling_score")


@pytest.mark.parametrize(
    "status",
    [
        dg.DagsterRunStatus.QUEUED,
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.CANCELING,
    ],
)
def test_while_its_own_run_is_under_way_it_waits_and_names_the_run(due, status):
    run = due.launch(only_request(due.tick()), status, remote_job_origin=ORIGIN)
    assert skipped(due.tick()).startswith(
        f"run {run.run_id} is queued or running; 1,000 of 1,000 new labels; next by time on "
    )


def test_while_the_job_for_both_models_runs_it_waits(due):
    run = due.run("training")
    assert run.run_id in skipped(due.tick())


@pytest.mark.parametrize("step", ["trained_model", "onnx_model", "registered_version"])
def test_while_somebody_materialises_a_step_of_the_model_by_hand_it_waits(due, step):
    run = due.run(None, assets={dg.AssetKey(["calling_score", step])})
    assert run.run_id in skipped(due.tick())


def test_a_run_of_the_other_model_alone_is_no_reason_to_wait(due):
    due.run("outcome_training")
    due.run(None, assets={dg.AssetKey(["outcome", "trained_model"])})
    due.run("training", assets={dg.AssetKey("raw_training_data"), dg.AssetKey(["outcome", "trained_model"])})
    assert only_request(due.tick())


def test_a_failed_run_is_tried_again_at_once_and_then_ever_later(due):
    attempts = []
    for _ in range(3):
        request = only_request(due.tick())
        assert request.run_key is None  # a key would be the same again, and swallow the retry
        attempts.append(request.tags[REASON_TAG])
        due.instance.report_run_failed(due.launch(request))
        if len(attempts) == 1:
            continue
        assert f"the last {len(attempts)} runs failed: next attempt on" in skipped(due.tick())
        due.clock.reset()
        due.clock.advance(hours=2 ** (len(attempts) - 2), minutes=-1)
        assert skipped(due.tick())
        due.clock.advance(minutes=2)

    assert [text.partition("; ")[2] for text in attempts] == [
        "",
        "retry after 1 failed run",
        "retry after 2 failed runs",
    ]


def test_a_cancelled_run_counts_as_a_failed_one(due):
    for _ in range(2):
        due.instance.report_run_canceled(due.launch(only_request(due.tick())))
    assert "the last 2 runs failed" in skipped(due.tick())


def test_bad_settings_tried_by_hand_do_not_delay_the_retraining(due):
    for _ in range(5):
        due.instance.report_run_failed(due.run("calling_score_training"))
        due.instance.report_run_failed(due.run(None, assets={dg.AssetKey(["calling_score", "trained_model"])}))
    assert only_request(due.tick())


def test_after_success_it_is_quiet_until_the_next_thousand(due):
    due.launch(only_request(due.tick()), dg.DagsterRunStatus.SUCCESS)
    due.register("second", "v1.1-real", watermark=due.store.label_watermark())
    assert skipped(due.tick()).startswith("0 of 1,000 new labels")

    due.labels_arrive(1_000)
    assert only_request(due.tick())


def test_a_run_that_only_reaffirmed_the_known_content_makes_it_quiet_too(due):
    due.clock.advance(days=8)
    due.launch(only_request(due.tick()), dg.DagsterRunStatus.SUCCESS)
    registration = due.register(watermark=due.store.label_watermark())
    assert not registration.created
    assert skipped(due.tick()).startswith("0 of 1,000 new labels")


def test_success_forgives_earlier_failures(due):
    for _ in range(2):
        due.instance.report_run_failed(due.launch(only_request(due.tick())))
    due.clock.advance(hours=2)
    due.register("second", "v1.1-real", watermark=due.store.label_watermark())
    due.labels_arrive(1_000)
    assert "retry" not in only_request(due.tick()).tags[REASON_TAG]


def test_labels_that_arrive_while_a_run_is_under_way_count_for_the_next(due):
    watermark = due.store.label_watermark()
    run = due.launch(only_request(due.tick()))
    due.labels_arrive(1_000)
    due.register("second", "v1.1-real", watermark=watermark)
    due.instance.report_run_failed(run)  # the state of the registered data decides, not how the run ended
    assert "1,000 new labels" in only_request(due.tick()).tags[REASON_TAG]


def test_a_restarted_daemon_knows_all_of_it(due):
    run = due.launch(only_request(due.tick()))
    with dg.DagsterInstance.from_config(due.instance.root_directory) as instance:
        restarted = World(instance, due.settings, due.clock)
        assert run.run_id in skipped(restarted.tick())
        instance.report_run_failed(run)
        assert "retry after 1 failed run" in only_request(restarted.tick()).tags[REASON_TAG]


def test_a_killed_command_line_run_does_not_block(due):
    run = due.run("training", tags={PROCESS_TAG: dead_process()})
    assert only_request(due.tick())
    assert due.instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE


def test_a_living_command_line_run_is_waited_for(due):
    run = due.run("training", tags={PROCESS_TAG: this_process()})
    assert run.run_id in skipped(due.tick())


def test_another_process_under_the_same_number_is_not_mistaken_for_the_one_that_died(due):
    host, pid, start = this_process().rsplit(":", 2)
    due.run("training", tags={PROCESS_TAG: f"{host}:{pid}:{int(start) + 1}"})
    assert only_request(due.tick())


def test_a_process_on_another_machine_is_left_alone(due):
    run = due.run("training", tags={PROCESS_TAG: "elsewhere:1:1"})
    assert run.run_id in skipped(due.tick())


def test_a_killed_run_that_dagster_is_about_to_resume_is_waited_for(due):
    run = due.launch(only_request(due.tick()), remote_job_origin=ORIGIN)
    due.instance.report_run_failed(run)
    assert due.instance.get_run_by_id(run.run_id).tags["dagster/will_retry"] == "true"
    assert run.run_id in skipped(due.tick())


def test_a_killed_run_that_was_resumed_counts_no_more_but_its_retry_does(due):
    run = due.launch(only_request(due.tick()), remote_job_origin=ORIGIN)
    due.instance.report_run_failed(run)
    retry = due.run("calling_score_training", tags=run.tags, parent_run_id=run.run_id, root_run_id=run.run_id)
    due.instance.add_run_tags(run.run_id, {"dagster/auto_retry_run_id": retry.run_id})

    message = skipped(due.tick())
    assert retry.run_id in message and run.run_id not in message
    due.instance.report_run_canceled(retry)
    assert "the last 2 runs failed" in skipped(due.tick())


def test_a_killed_run_that_dagster_never_resumed_blocks_for_an_hour_at_most(due):
    due.instance.report_run_failed(due.launch(only_request(due.tick()), remote_job_origin=ORIGIN))
    due.clock.advance(minutes=61)
    assert only_request(due.tick())


def test_each_model_is_retrained_on_its_own(due):
    due.launch(only_request(due.tick()))
    other = dataclasses.replace(due, model_type="outcome")
    request = only_request(other.tick())
    assert request.tags[MODEL_TAG] == "outcome"
    assert "1,500 new labels" in request.tags[REASON_TAG]
