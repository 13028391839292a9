"""Runs a training job in this process, for `spots-ml run`: the same assets, checks and history as from the web page."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import dagster as dg

from spots_ml.defs.build import build_definitions
from spots_ml.defs.history.home import dagster_home, open_instance
from spots_ml.defs.history.problems import problems
from spots_ml.defs.history.runs import (
    ACTIVE,
    PROCESS_TAG,
    STORE_TAG,
    fail_abandoned_runs,
    is_abandoned,
    job_name,
    of_code_location,
    this_process,
)
from spots_ml.defs.jobs import BOTH_MODELS_JOB, registered_version_key
from spots_ml.defs.lineage import MADE_ALREADY_KEY
from spots_ml.defs.resources import Platform
from spots_ml.errors import BusyError
from spots_ml.files import exclusive
from spots_ml.interactions.learning.expectations_process import ExpectationsProcess
from spots_ml.models.declared import ModelType, declared_types
from spots_ml.places import Places
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
        made_already: Assets that were found and not made, in their order.
    """

    run_id: str
    models: tuple[ModelResult, ...]
    problems: tuple[str, ...]
    seconds_by_step: dict[str, float]
    made_already: tuple[str, ...] = ()


def run_training(
    settings: Settings,
    model_types: Sequence[ModelType] | None = None,
    *,
    expectations: ExpectationsProcess | None = None,
    anew: bool = False,
    on_wait: Callable[[str], object] = lambda told: None,
) -> JobResult:
    """Run the job of one model, or of all, to its end; a second such run in the same places waits for the first.

    Args:
        settings: The checked settings.
        model_types: One model, or all of them; None: all.
        expectations: Great Expectations, being imported already; None: from now on.
        anew: Make everything although the same was made already.
        on_wait: Takes a sentence when another run must end first.

    Returns:
        What came out; failures are in it, not raised.
    """
    model_types = declared_types() if model_types is None else model_types
    name = BOTH_MODELS_JOB if len(model_types) > 1 else job_name(model_types[0])
    with (
        trouble_at(dagster_home()),
        expectations or ExpectationsProcess() as looking,
        open_instance() as instance,
        contextlib.ExitStack() as alone,
    ):
        looking.start()
        fail_abandoned_runs(instance)
        platform = Platform(settings, expectations=looking, anew=anew)
        alone.enter_context(_first_in_line(settings.places, instance, on_wait))
        outcome = (
            build_definitions(settings, platform=platform)
            .resolve_job_def(name)
            .execute_in_process(
                run_config={"loggers": {"console": {}}},
                instance=instance,
                raise_on_error=False,
                tags={PROCESS_TAG: this_process(), STORE_TAG: settings.store, **of_code_location()},
            )
        )
        return _summarise(outcome, model_types)


@contextlib.contextmanager
def _first_in_line(places: Places, instance: dg.DagsterInstance, on_wait: Callable[[str], object]) -> Iterator[None]:
    try:
        with exclusive(places.run_lock):
            yield
        return
    except BusyError:
        pass
    runs = instance.get_runs(dg.RunsFilter(statuses=list(ACTIVE)))
    running = [run.run_id for run in runs if PROCESS_TAG in run.tags and not is_abandoned(run)]
    told = f"run {', '.join(running)}" if running else "another run"
    on_wait(f"{told} is under way in {places.data_dir}; this one waits until it has ended")
    with exclusive(places.run_lock, wait=True):
        yield


def _summarise(outcome: dg.ExecuteInProcessResult, model_types: Sequence[ModelType]) -> JobResult:
    materializations = [
        event.step_materialization_data.materialization for event in outcome.get_asset_materialization_events()
    ]
    made = {one.asset_key: one.metadata for one in materializations}
    models = []
    for model_type in model_types:
        metadata = made.get(registered_version_key(model_type))
        models.append(
            ModelResult(
                model_type,
                version=str(metadata["version"].value) if metadata else None,
                created=bool(metadata["created"].value) if metadata else False,
            )
        )
    return JobResult(
        run_id=outcome.run_id,
        made_already=tuple(
            key.to_user_string()
            for key, found in made.items()
            if MADE_ALREADY_KEY in found and found[MADE_ALREADY_KEY].value
        ),
        models=tuple(models),
        problems=tuple(map(str, problems(outcome.all_events))),
        seconds_by_step={
            str(event.step_key).replace("__", "/"): event.step_success_data.duration_ms / 1000
            for event in outcome.all_events
            if event.is_step_success
        },
    )
