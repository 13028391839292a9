"""Runs a training job in this process, for `spots-ml run`: the same assets, checks and history as from the web page."""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from spots_ml.defs.build import build_definitions
from spots_ml.defs.history.home import dagster_home, open_instance
from spots_ml.defs.history.problems import problems
from spots_ml.defs.history.runs import PROCESS_TAG, STORE_TAG, fail_abandoned_runs, job_name, this_process
from spots_ml.defs.jobs import BOTH_MODELS_JOB, registered_version_key
from spots_ml.defs.resources import Platform
from spots_ml.interactions.learning.expectations_process import ExpectationsProcess
from spots_ml.models.declared import ModelType, declared_types
from spots_ml.settings import Settings
from spots_ml.troubles import trouble_at


@dataclass(frozen=True)
class ModelResult:
    """What a run led to for one model.

    Attributes:
        model_type: Which model.
        version: The registered version; None when there is none.
        created: Whether the version is new; False when the same content was registered before.
    """

    model_type: ModelType
    version: str | None
    created: bool


@dataclass(frozen=True)
class JobResult:
    """What a run led to.

    Attributes:
        run_id: In Dagster's history.
        models: One entry per model of the job.
        problems: Why steps failed, one sentence each, in their order; empty when nothing failed.
        seconds_by_step: Wall time of every step that ended, in seconds.
    """

    run_id: str
    models: tuple[ModelResult, ...]
    problems: tuple[str, ...]
    seconds_by_step: dict[str, float]


def run_training(
    settings: Settings,
    model_types: Sequence[ModelType] | None = None,
    *,
    expectations: ExpectationsProcess | None = None,
) -> JobResult:
    """Run the job of one model, or of all, to its end.

    Args:
        settings: The checked settings.
        model_types: One model, or all of them; None: all.
        expectations: Great Expectations, being imported already; None: from now on.

    Returns:
        What came out; failures are in it, not raised.
    """
    model_types = declared_types() if model_types is None else model_types
    name = BOTH_MODELS_JOB if len(model_types) > 1 else job_name(model_types[0])
    with (
        trouble_at(dagster_home()),
        expectations or ExpectationsProcess() as looking,
        open_instance() as instance,
    ):
        looking.start()
        fail_abandoned_runs(instance)
        platform = Platform(settings, expectations=looking)
        outcome = (
            build_definitions(settings, platform=platform)
            .resolve_job_def(name)
            .execute_in_process(
                run_config={"loggers": {"console": {}}},
                instance=instance,
                raise_on_error=False,
                tags={PROCESS_TAG: this_process(), STORE_TAG: settings.store},
            )
        )
        return _summarise(outcome, model_types)


def _summarise(outcome: dg.ExecuteInProcessResult, model_types: Sequence[ModelType]) -> JobResult:
    registered = {
        event.asset_key: event.step_materialization_data.materialization.metadata
        for event in outcome.get_asset_materialization_events()
    }
    models = []
    for model_type in model_types:
        metadata = registered.get(registered_version_key(model_type))
        models.append(
            ModelResult(
                model_type,
                version=str(metadata["version"].value) if metadata else None,
                created=bool(metadata["created"].value) if metadata else False,
            )
        )
    return JobResult(
        run_id=outcome.run_id,
        models=tuple(models),
        problems=tuple(map(str, problems(outcome.all_events))),
        seconds_by_step={
            str(event.step_key).replace("__", "/"): event.step_success_data.duration_ms / 1000
            for event in outcome.all_events
            if event.is_step_success
        },
    )
