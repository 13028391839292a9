"""Says of a run that failed, in one sentence, what stopped it and what to do; the sentence stays with the run."""

from collections.abc import Sequence
from typing import Final

import dagster as dg

from spots_ml.defs.history.problems import EVENTS, Problem, problems, was_refused
from spots_ml.defs.history.run_history import is_to_be_resumed
from spots_ml.defs.history.runs import MODEL_TAG, touches
from spots_ml.models.declared import declared_types

_PARTITION_TAG: Final = "dagster/partition"


def failure_told(run: dg.DagsterRun, found: Sequence[Problem]) -> str:
    """Say what stopped a run and what to do.

    Args:
        run: The run that failed.
        found: What stopped its steps; empty when its process ended without a word.

    Returns:
        What it was about, the outcome, every problem, and what follows, in one line.
    """
    outcome = "refused by a gate" if was_refused(found) else "failed"
    why = "; ".join(map(str, found)) or "its process ended without a word: it was killed, or ran out of memory"
    return f"{_subject(run)} {outcome}: {why}. {_what_follows(run, found)}"


def _subject(run: dg.DagsterRun) -> str:
    models = [model_type for model_type in declared_types() if touches(run, model_type)]
    if models:
        return " and ".join(models)
    by_hand = ", ".join(sorted(key.to_user_string() for key in run.asset_selection or ()))
    subject = run.job_name if not run.job_name.startswith("__") else by_hand
    day = run.tags.get(_PARTITION_TAG)
    return subject if day is None else f"{subject} of {day}"


def _what_follows(run: dg.DagsterRun, found: Sequence[Problem]) -> str:
    if is_to_be_resumed(run):
        return "Dagster goes on with it by itself, from the step that was stopped"
    if MODEL_TAG in run.tags and was_refused(found):
        return (
            "Its answer is kept: asked again once data, code or settings are others, `spots-ml due` says how far it is"
        )
    if MODEL_TAG in run.tags:
        return "It is tried again by itself, `spots-ml due` says when"
    if "dagster/schedule_name" in run.tags:
        return "A day is asked for again at the next tick" if _PARTITION_TAG in run.tags else "It runs again tomorrow"
    if was_refused(found):
        return "Nothing broke: launch it again once the data or the settings are others"
    return "Launch it again when that is mended; what was made already is not made twice"


@dg.run_failure_sensor(
    name="run_failed",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Notes on every run that failed, in one sentence, which model it was about, why, and what to do.",
)
def run_failed(context: dg.RunFailureSensorContext) -> None:
    """Say it in the sensor's log and in that of the run; a tag would be handed on to the run that resumes this one."""
    run = context.dagster_run
    logged = context.instance.all_logs(run.run_id, of_type=EVENTS)
    told = failure_told(run, problems(entry.dagster_event for entry in logged if entry.dagster_event is not None))
    context.log.warning(told)
    context.instance.report_engine_event(told, run)
