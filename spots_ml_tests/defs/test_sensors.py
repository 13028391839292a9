"""The retraining sensors, ticked on a real instance over real stores: nothing new, new, in flight, failed, succeeded.

What is due when is tested in `monitoring/test_retraining.py`, what Dagster's history says in `test_run_history.py`.
"""

import dataclasses

import dagster as dg
import pytest

from spots_ml.defs.history.run_history import ASKED_TAG
from spots_ml.defs.history.runs import STORE_TAG
from spots_ml.defs.resources import Platform
from spots_ml.defs.sensors import MODEL_TAG, REASON_TAG, REQUESTS_TAG, present_state, retraining_sensor
from spots_ml.stores.embedded.retraining.requests import EmbeddedRetrainingRequests
from spots_ml.stores.supabase.transport.refusals import UnavailableError
from spots_ml_tests.defs.building import World
from spots_ml_tests.stores.keeping_requests import request


@pytest.fixture
def due(world):
    """A version, and 1,000 new labels since its data."""
    world.labels_arrive(500)
    world.register(watermark=world.store.interactions.label_watermark())
    world.clock.advance(minutes=1)
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


def test_both_models_have_a_sensor_that_is_on_by_default():
    sensors = [retraining_sensor(model_type, "embedded") for model_type in ("calling_score", "outcome")]
    assert {sensor.name for sensor in sensors} == {"retrain_calling_score", "retrain_outcome"}
    assert all(sensor.default_status is dg.DefaultSensorStatus.RUNNING for sensor in sensors)


def test_nothing_new_is_said_tick_after_tick(world):
    assert skipped(world.tick()) == "0 of 1,000 new labels; no version yet, so not by time"
    world.labels_arrive(500)
    world.register(watermark=world.store.interactions.label_watermark())
    told = skipped(world.tick())
    assert told.startswith("0 of 1,000 new labels; next by time on ")
    assert skipped(world.tick()) == told


def test_new_labels_lead_to_one_run_and_while_it_is_under_way_to_no_second(due):
    request = only_request(due.tick())
    assert request.run_key is None  # a key would be the same again, and swallow the retry
    assert request.tags[REASON_TAG] == "1,000 new labels have arrived (threshold 1,000)"
    assert request.tags[MODEL_TAG] == "calling_score"
    assert request.tags[ASKED_TAG] == due.clock().isoformat()
    run = due.launch(request)
    assert skipped(due.tick()).startswith(f"run {run.run_id} is queued or running; 1,000 of 1,000 new labels")


def test_a_failed_run_is_tried_again_and_then_waited_with(due):
    due.instance.report_run_failed(due.launch(only_request(due.tick())))
    request = only_request(due.tick())
    assert request.tags[REASON_TAG].endswith("; retry after 1 failed run")

    due.instance.report_run_failed(due.launch(request))
    assert "; but the last 2 runs failed: next attempt on" in skipped(due.tick())
    due.clock.advance(minutes=62)
    assert only_request(due.tick()).tags[REASON_TAG].endswith("; retry after 2 failed runs")


def test_after_success_it_is_quiet_until_the_next_thousand(due):
    for _ in range(2):
        due.instance.report_run_failed(due.launch(only_request(due.tick())))
    due.clock.advance(hours=2)
    due.launch(only_request(due.tick()), dg.DagsterRunStatus.SUCCESS)
    due.clock.advance(minutes=1)
    due.register("second", "v1.1-real", watermark=due.store.interactions.label_watermark())
    assert skipped(due.tick()).startswith("0 of 1,000 new labels")

    due.labels_arrive(1_000)
    assert "retry" not in only_request(due.tick()).tags[REASON_TAG]


def test_a_run_that_only_reaffirmed_the_known_content_makes_it_quiet_too(due):
    due.clock.advance(days=8)
    due.launch(only_request(due.tick()), dg.DagsterRunStatus.SUCCESS)
    assert not due.register(watermark=due.store.interactions.label_watermark()).created
    assert skipped(due.tick()).startswith("0 of 1,000 new labels")


def test_labels_that_arrive_while_a_run_is_under_way_count_for_the_next(due):
    watermark = due.store.interactions.label_watermark()
    run = due.launch(only_request(due.tick()))
    due.labels_arrive(1_000)
    due.clock.advance(minutes=1)
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


def test_each_model_is_retrained_on_its_own(due):
    due.launch(only_request(due.tick()))
    request = only_request(due.tick("outcome"))
    assert request.tags[MODEL_TAG] == "outcome"
    assert "1,500 new labels" in request.tags[REASON_TAG]


def test_thresholds_come_from_the_settings(world):
    retrain = world.settings.retrain.model_copy(update={"new_labels": 10})
    world = World(world.instance, dataclasses.replace(world.settings, retrain=retrain), world.clock)
    world.labels_arrive(10)
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
    assert metadata["label_watermark"].value == due.store.interactions.label_watermark()


def test_a_watermark_of_the_other_kind_of_store_says_nothing_and_every_label_counts(world):
    world.labels_arrive(999)
    world.register(watermark="supabase:5000/9000")
    assert skipped(world.tick()).startswith("999 of 1,000 new labels")

    world.clock.advance(days=7)
    assert source_of(only_request(world.tick())) == "synthetic"


def test_after_a_version_of_generated_data_it_learns_from_the_store_from_a_thousand_labels_on(world):
    world.register(version="v1.0-synthetic", watermark=None)
    world.clock.advance(days=7)
    world.labels_arrive(999)
    assert source_of(only_request(world.tick())) == "synthetic"

    world.labels_arrive(1)
    assert source_of(only_request(world.tick())) == "embedded"


def test_after_generated_data_the_labels_count_from_the_version_that_learned_from_the_store(due):
    due.register("generated", "v1.1-synthetic", watermark=None)

    assert only_request(due.tick()).tags[REASON_TAG] == "1,000 new labels have arrived (threshold 1,000)"


def test_a_thousand_corrected_labels_lead_to_a_run(due):
    due.register("second", "v1.1-real", watermark=due.store.interactions.label_watermark())
    due.clock.advance(minutes=1)
    due.labels_are_corrected(999)
    assert skipped(due.tick()).startswith("0 of 1,000 new labels; 999 of 1,000 corrected; next by time on ")

    due.labels_are_corrected(1, first=999)
    request = only_request(due.tick())
    assert request.tags[REASON_TAG] == "1,000 labels were corrected (threshold 1,000)"
    assert source_of(request) == "embedded"


@pytest.fixture
def refused(world):
    """A world whose sensor asks at 500 labels, and what came of it: a dataset that has too few of them."""
    retrain = world.settings.retrain.model_copy(update={"new_labels": 500})
    world = World(world.instance, dataclasses.replace(world.settings, retrain=retrain), world.clock)
    world.labels_arrive(500)
    run_to_its_end(world)
    return world


def run_to_its_end(world):
    request = only_request(world.tick())
    job = world.job("calling_score_training")
    result = job.execute_in_process(
        run_config=request.run_config, tags=request.tags, instance=world.instance, raise_on_error=False
    )
    assert not result.success
    return request


def with_settings(world, **changes):
    changed = World(world.instance, dataclasses.replace(world.settings, **changes), world.clock)
    changed.n_imported = world.n_imported
    return changed


def test_what_a_gate_refused_is_not_trained_again_on_the_same(refused):
    told = skipped(refused.tick())

    assert told.startswith("500 new labels have arrived (threshold 500); but the gate 'enough_labels' refused on ")
    assert "500 labelled interactions, at least 1,000 are needed (500 missing)" in told
    refused.clock.advance(days=3)
    refused.labels_arrive(499)
    assert "; 499 new labels since; " in skipped(refused.tick())


def test_a_refused_dataset_is_an_answer_for_every_model(refused):
    assert "but the gate 'enough_labels' refused on" in skipped(refused.tick("outcome"))


def test_it_is_trained_at_once_when_enough_labels_have_arrived_since(refused):
    refused.labels_arrive(2_000)
    request = only_request(refused.tick())

    assert "; 2,000 labels have arrived since what the gate 'enough_labels' refused on " in request.tags[REASON_TAG]
    assert source_of(request) == "embedded"


def test_other_settings_are_tried_at_once(refused):
    changed = with_settings(refused, max_broken_share=0.2)

    assert "; the configuration is not what the gate" in only_request(changed.tick()).tags[REASON_TAG]
    run_to_its_end(changed)
    skipped(changed.tick())


def test_other_code_is_tried_at_once(refused, monkeypatch):
    monkeypatch.setattr("spots_ml.pipeline.recipes.code_digest", lambda: "0" * 64)

    assert "; the code is not what the gate" in only_request(refused.tick()).tags[REASON_TAG]


def test_a_refusal_delays_no_failure_and_a_failure_no_refusal(refused):
    refused.labels_arrive(500)
    refused.instance.report_run_failed(refused.launch(only_request(refused.tick())))

    assert only_request(refused.tick()).tags[REASON_TAG].endswith("; retry after 1 failed run")


def test_a_failure_on_the_other_store_is_not_waited_with(due):
    for _ in range(2):
        due.launch(only_request(due.tick()), dg.DagsterRunStatus.FAILURE)
    assert "the last 2 runs failed" in skipped(due.tick())

    for run in due.instance.get_runs():
        due.instance.add_run_tags(run.run_id, {STORE_TAG: "supabase"})
    assert "retry" not in only_request(due.tick()).tags[REASON_TAG]


def test_a_project_that_cannot_be_reached_ends_the_tick_in_words_before_dagster_does(world, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    settings = dataclasses.replace(
        world.settings, store="supabase", supabase_url="http://127.0.0.1:9", supabase_key="sb_secret_1"
    )
    platform = Platform(settings, now=world.clock)
    with pytest.raises(UnavailableError, match=r"could not find the newest row .*, sent 2 times; check the network"):
        present_state(world.instance, platform, "calling_score")


def ask(world, **changes):
    return world.store.retraining_requests.ask(request(**changes), now=world.clock())


def test_a_request_leads_to_one_run_and_is_answered_by_what_comes_of_it(due):
    due.register("second", "v1.1-real", watermark=due.store.interactions.label_watermark())
    number = ask(due)
    asked = only_request(due.tick())
    assert asked.tags[REQUESTS_TAG] == str(number)
    assert asked.tags[REASON_TAG] == f"maria asked for it (request {number}): a new season"
    due.launch(asked)
    assert "is queued or running" in skipped(due.tick())

    due.register("third", "v1.2-real", watermark=due.store.interactions.label_watermark())
    due.instance.report_run_failed(due.instance.get_runs()[0])  # its last step, after the version stood
    assert skipped(due.tick()).startswith("0 of 1,000 new labels; next by time")


def test_a_daemon_that_died_before_its_run_was_there_takes_the_request_again(world):
    number = ask(world)
    only_request(world.tick())
    assert f"request {number} taken on " in skipped(world.tick())

    world.clock.advance(minutes=5)
    assert only_request(world.tick()).tags[REQUESTS_TAG] == str(number)


def test_a_request_whose_run_failed_is_tried_again_as_everything_is(world):
    ask(world)
    world.instance.report_run_failed(world.launch(only_request(world.tick())))
    world.clock.advance(minutes=5)
    assert only_request(world.tick()).tags[REASON_TAG].endswith("; retry after 1 failed run")


def test_of_two_daemons_that_saw_the_same_request_one_asks_for_a_run(world, monkeypatch, tmp_path):
    ask(world)
    read = world.store.retraining_requests.open_requests("calling_score")
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        other = World(instance, world.settings, world.clock)
        only_request(world.tick())
        monkeypatch.setattr(
            EmbeddedRetrainingRequests, "open_requests", lambda log, model_type: read
        )  # as it was before the first tick
        assert skipped(other.tick()) == f"request {read[0].number} was taken by another daemon just now"
        monkeypatch.undo()
        assert "not answered yet" in skipped(other.tick())


def test_a_request_that_says_so_trains_what_was_refused_once_more(refused):
    ask(refused)
    assert "did not ask for it anew" in skipped(refused.tick())

    number = ask(refused, anew=True)
    asked = only_request(refused.tick())
    assert f"; request {number} asked for it anew, although the gate 'enough_labels' refused" in asked.tags[REASON_TAG]
    assert asked.run_config["ops"]["calling_score__trained_model"]["config"] == {"seed": 0, "anew": True}
    assert dg.validate_run_config(refused.job("calling_score_training"), asked.run_config)
    refused.job("calling_score_training").execute_in_process(
        run_config=asked.run_config, tags=asked.tags, instance=refused.instance, raise_on_error=False
    )
    assert refused.store.retraining_requests.open_requests("calling_score") == ()
