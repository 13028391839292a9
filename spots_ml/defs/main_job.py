"""Runs a training job in this process, for `spots-ml run`: the same assets, checks and history as from the web page."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import dagster as dg

from spots_ml.defs.build import build_definitions
from spots_ml.defs.jobs import BOTH_MODELS_JOB, registered_version_key
from spots_ml.defs.resources import Platform
from spots_ml.defs.runs import PROCESS_TAG, fail_abandoned_runs, job_name, this_process
from spots_ml.files import write_whole
from spots_ml.interactions.learning.expectations_process import ExpectationsProcess
from spots_ml.models.declared import ModelType, declared_types
from spots_ml.settings import PROJECT_ROOT, Settings

HOME_VARIABLE: Final = "DAGSTER_HOME"
_CONFIGURATION: Final = "dagster.yaml"


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


def run_training(settings: Settings, model_types: Sequence[ModelType] = declared_types()) -> JobResult:
    """Run the job of one model, or of both, to its end.

    Args:
        settings: The checked settings.
        model_types: One model, or all of them.

    Returns:
        What came out; failures are in it, not raised.
    """
    name = BOTH_MODELS_JOB if len(model_types) > 1 else job_name(model_types[0])
    with ExpectationsProcess() as expectations, dg.DagsterInstance.from_config(str(dagster_home())) as instance:
        expectations.start()
        fail_abandoned_runs(instance)
        platform = Platform(settings, expectations=expectations)
        outcome = (
            build_definitions(settings, platform=platform)
            .resolve_job_def(name)
            .execute_in_process(
                run_config={"loggers": {"console": {}}},
                instance=instance,
                raise_on_error=False,
                tags={PROCESS_TAG: this_process()},
            )
        )
        return _summarise(outcome, model_types)


def dagster_home() -> Path:
    """Find Dagster's home, and make sure that it is one.

    Returns:
        What `DAGSTER_HOME` says, or `dagster_home/` in the project. A home without a configuration gets the project's:
        one without it would report usage statistics and train the same model twice at once.
    """
    ours = PROJECT_ROOT / "dagster_home"
    home = Path(os.environ.get(HOME_VARIABLE) or ours)
    if not (home / _CONFIGURATION).exists():
        write_whole(home / _CONFIGURATION, (ours / _CONFIGURATION).read_bytes())
    return home


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
        problems=tuple(_problems(outcome)),
        seconds_by_step={
            str(event.step_key).replace("__", "/"): event.step_success_data.duration_ms / 1000
            for event in outcome.all_events
            if event.is_step_success
        },
    )


def _problems(outcome: dg.ExecuteInProcessResult) -> list[str]:
    failed_checks = [
        f"{check.asset_key.to_user_string()}: {check.description}"
        for check in outcome.get_asset_check_evaluations()
        if not check.passed and check.severity == dg.AssetCheckSeverity.ERROR
    ]
    failed_steps = []
    for event in outcome.all_events:
        if not event.is_step_failure:
            continue
        data = event.step_failure_data
        step = str(event.step_key).replace("__", "/")
        if data.user_failure_data is not None and data.user_failure_data.description:
            failed_steps.append(f"{step}: {data.user_failure_data.description}")
        elif data.error is not None and "blocking asset check" not in data.error.message.lower():
            error = data.error.cause or data.error
            failed_steps.append(f"{step}: {error.message.strip()}")
    return list(dict.fromkeys([*failed_checks, *failed_steps]))
