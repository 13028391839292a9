"""The sentence about a run that failed, and where it is found."""

import dagster as dg
import pytest

from spots_ml.defs.failure_sensor import failure_told, run_failed
from spots_ml.defs.failures import refusals_in_words
from spots_ml.defs.history.problems import Problem
from spots_ml.defs.history.runs import MODEL_TAG
from spots_ml.errors import GateError
from spots_ml_tests.defs.building import ORIGIN

REFUSED = Problem("outcome/trained_model", "Brier 0.25; expected below 0.24", refused=True)
BROKE = Problem("raw_training_data", "disk full", refused=False)


def run_of(job, **tags):
    return dg.DagsterRun(job_name=job, run_id="some-run", tags=tags)


@pytest.mark.parametrize(
    ("run", "found", "told"),
    [
        (
            run_of("outcome_training", **{MODEL_TAG: "outcome"}),
            [REFUSED],
            "outcome refused by a gate: outcome/trained_model: Brier 0.25; expected below 0.24. "
            "Its answer is kept: asked again once data, code or settings are others, `spots-ml due` says how far it is",
        ),
        (
            run_of("outcome_training", **{MODEL_TAG: "outcome"}),
            [BROKE],
            "outcome failed: raw_training_data: disk full. It is tried again by itself, `spots-ml due` says when",
        ),
        (
            run_of("training"),
            [REFUSED],
            "calling_score and outcome refused by a gate: outcome/trained_model: Brier 0.25; expected below 0.24. "
            "Nothing broke: launch it again once the data or the settings are others",
        ),
        (
            run_of("calling_score_training"),
            [BROKE, REFUSED],
            "calling_score failed: raw_training_data: disk full; outcome/trained_model: Brier 0.25; expected below "
            "0.24. Launch it again when that is mended; what was made already is not made twice",
        ),
        (
            run_of("scoring", **{"dagster/partition": "2026-11-20", "dagster/schedule_name": "scoring"}),
            [],
            "scoring of 2026-11-20 failed: its process ended without a word: it was killed, or ran out of memory. "
            "A day is asked for again at the next tick",
        ),
        (
            dg.DagsterRun(
                job_name="__ASSET_JOB", run_id="some-run", asset_selection={dg.AssetKey("validated_dataset")}
            ),
            [BROKE],
            "validated_dataset failed: raw_training_data: disk full. "
            "Launch it again when that is mended; what was made already is not made twice",
        ),
        (
            run_of("daily_monitoring", **{"dagster/schedule_name": "daily_monitoring"}),
            [Problem("formula_baseline", "no such dataset", refused=False)],
            "daily_monitoring failed: formula_baseline: no such dataset. It runs again tomorrow",
        ),
    ],
)
def test_it_says_which_model_what_stopped_it_and_what_to_do(run, found, told):
    assert failure_told(run, found) == told


def test_the_sentence_is_noted_in_the_log_of_the_run(instance):
    @dg.asset
    def step():
        with refusals_in_words():
            raise GateError("worse than the constant")

    result = dg.materialize([step], instance=instance, raise_on_error=False)
    context = dg.build_run_status_sensor_context(
        sensor_name=run_failed.name,
        dagster_instance=instance,
        dagster_run=result.dagster_run,
        dagster_event=next(event for event in result.all_events if event.is_run_failure),
    ).for_run_failure()
    run_failed(context)

    logged = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    assert any("refused by a gate: step: worse than the constant. " in entry.message for entry in logged)
    assert instance.get_run_by_id(result.run_id).tags.keys() == result.dagster_run.tags.keys()


def test_of_a_killed_run_that_dagster_resumes_it_says_so(runs):
    run = runs.run("calling_score_training", tags={MODEL_TAG: "calling_score"}, remote_job_origin=ORIGIN)
    runs.instance.report_run_failed(run)
    told = failure_told(runs.instance.get_run_by_id(run.run_id), [])
    assert told.endswith("Dagster goes on with it by itself, from the step that was stopped")
