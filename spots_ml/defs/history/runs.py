"""What is known of a run by itself: which model it trains, and whether the process that executes it is alive."""

import os
import socket
from pathlib import Path
from typing import Final

import dagster as dg

from spots_ml.models.declared import ModelType

ACTIVE: Final = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.SUSPENDED,
    dg.DagsterRunStatus.CANCELING,
)

PROCESS_TAG: Final = "spots_ml/process"
"""Set on runs that live in the process that started them (`spots-ml run`), where no daemon watches."""

MODEL_TAG: Final = "spots_ml/retrains"
"""Set by the retraining sensors on the runs they ask for, to the model's name; a run's automatic retries inherit it."""

STORE_TAG: Final = "spots_ml/store"
"""Set on every run of a job: the kind of store that was configured; what failed there concerns no other."""

CODE_LOCATION: Final = "spots_ml"
"""As `workspace.yaml` names it."""

_LOCATION_TAG: Final = ".dagster/repository"

BOTH_MODELS_JOB: Final = "training"

_LOOKS_ONLY: Final = ("rollout", "feature_importance")
"""Assets of a model that show how its versions do; nothing of a version is made by them."""


def job_name(model_type: ModelType) -> str:
    """Name the job that trains one model.

    Args:
        model_type: Which model.

    Returns:
        The job's name in Dagster.
    """
    return f"{model_type}_training"


def of_code_location() -> dict[str, str]:
    """Say of a run that no code server launched to which code location its job belongs.

    Returns:
        The tag by which pages and timelines find the runs of a job; Dagster sets it on what it launches itself.
    """
    return {_LOCATION_TAG: f"__repository__@{CODE_LOCATION}"}


def this_process() -> str:
    """Identify this process across restarts of the machine's process table.

    Returns:
        `host:pid:start`, where `start` is the kernel's start time of the process, or 0 where it cannot be read.
    """
    return f"{socket.gethostname()}:{os.getpid()}:{_start_time(os.getpid())}"


def fail_abandoned_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark the runs failed whose process on this machine is gone, so that nothing waits for them.

    Only runs that carry `PROCESS_TAG` are looked at: the others are watched by Dagster's own run monitoring.

    Args:
        instance: Where the runs are recorded.

    Returns:
        The ids of the runs that were marked.
    """
    orphans = [
        run.run_id for run in instance.get_runs(filters=dg.RunsFilter(statuses=list(ACTIVE))) if is_abandoned(run)
    ]
    # Asked once more: a process that has ended meanwhile may have finished its run before.
    abandoned = [run for run in map(instance.get_run_by_id, orphans) if run is not None and run.status in ACTIVE]
    for run in abandoned:
        instance.report_run_failed(run, "The process that executed this run is gone.")
    return [run.run_id for run in abandoned]


def is_abandoned(run: dg.DagsterRun) -> bool:
    """Tell whether a run lived in a process of this machine that is gone.

    Args:
        run: A run that is not over.

    Returns:
        False for runs that carry no `PROCESS_TAG`, and for those of other machines.
    """
    return PROCESS_TAG in run.tags and _is_gone(run.tags[PROCESS_TAG])


def touches(run: dg.DagsterRun, model_type: ModelType) -> bool:
    """Tell whether a run trains a model, or makes a part of it.

    Args:
        run: Any run.
        model_type: Which model.

    Returns:
        True for the jobs that train it, and for a selection with one of its steps. A look at its rollout is none.
    """
    if run.asset_selection is not None:
        return any(key.path[0] == model_type and key.path[-1] not in _LOOKS_ONLY for key in run.asset_selection)
    return run.job_name in (BOTH_MODELS_JOB, job_name(model_type)) or run.job_name.startswith("__ASSET_JOB")


def trains(run: dg.DagsterRun, model_type: ModelType) -> bool:
    """Tell whether a run makes a version of a model, from its data to the registry.

    Args:
        run: Any run.
        model_type: Which model.

    Returns:
        False for a run of single steps.
    """
    return run.asset_selection is None and run.job_name in (BOTH_MODELS_JOB, job_name(model_type))


def _start_time(pid: int) -> str:
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return "0"
    return stat.read_text().rpartition(")")[2].split()[19]


def _is_gone(process: str) -> bool:
    host, pid, start = process.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return _start_time(int(pid)) != start
