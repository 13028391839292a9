"""What Dagster's run history says about a model: who trains it now, and how often that failed lately.

Facts only; what follows from them is decided in `spots_ml.monitoring.retraining`.
"""

import os
import socket
from datetime import datetime, timedelta
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
FAILED: Final = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)

PROCESS_TAG: Final = "spots_ml/process"
"""Set on runs that live in the process that started them (`spots-ml run`), where no daemon watches."""

MODEL_TAG: Final = "spots_ml/retrains"
"""Set by the retraining sensors on the runs they ask for, to the model's name; a run's automatic retries inherit it."""

BOTH_MODELS_JOB: Final = "training"
_WILL_RETRY_TAG: Final = "dagster/will_retry"
_RETRY_RUN_TAG: Final = "dagster/auto_retry_run_id"
_RESUMED_WITHIN: Final = timedelta(hours=1)
"""A killed run that Dagster has not resumed by then (it takes seconds) is not going to be."""


def job_name(model_type: ModelType) -> str:
    """Name the job that trains one model.

    Args:
        model_type: Which model.

    Returns:
        The job's name in Dagster.
    """
    return f"{model_type}_training"


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
        run.run_id
        for run in instance.get_runs(filters=dg.RunsFilter(statuses=list(ACTIVE)))
        if PROCESS_TAG in run.tags and _is_gone(run.tags[PROCESS_TAG])
    ]
    # Asked once more: a process that has ended meanwhile may have finished its run before.
    abandoned = [run for run in map(instance.get_run_by_id, orphans) if run is not None and run.status in ACTIVE]
    for run in abandoned:
        instance.report_run_failed(run, "The process that executed this run is gone.")
    return [run.run_id for run in abandoned]


def runs_in_flight(instance: dg.DagsterInstance, model_type: ModelType, now: datetime) -> tuple[str, ...]:
    """Find the runs that train a model now or are about to, whoever started them.

    Args:
        instance: Where the runs are recorded.
        model_type: Which model.
        now: The present (UTC).

    Returns:
        Ids of queued, starting and running runs that touch the model's assets, and of killed runs that Dagster is going
        to resume; empty when nothing is under way.
    """
    active = instance.get_runs(filters=dg.RunsFilter(statuses=list(ACTIVE)))
    killed = instance.get_runs(
        filters=dg.RunsFilter(
            statuses=[dg.DagsterRunStatus.FAILURE],
            tags={_WILL_RETRY_TAG: "true"},
            updated_after=now - _RESUMED_WITHIN,
        )
    )
    return tuple(run.run_id for run in (*active, *filter(_is_to_be_resumed, killed)) if _touches(run, model_type))


def _is_to_be_resumed(run: dg.DagsterRun) -> bool:
    """Dagster announces a retry for every killed run, but it can only launch again what it launched itself."""
    return run.remote_job_origin is not None and _RETRY_RUN_TAG not in run.tags


def failures_since(
    instance: dg.DagsterInstance, model_type: ModelType, since: datetime | None
) -> tuple[int, datetime | None]:
    """Count the retrainings of a model that failed since a moment.

    Only runs that its sensor asked for: somebody who tries a bad setting by hand must not delay the next retraining.

    Args:
        instance: Where the runs are recorded.
        model_type: Which model.
        since: Start, exclusive; None for all of history.

    Returns:
        How many failed or were cancelled, and when the newest of them was last heard of (UTC; None when there is none).
    """
    records = instance.get_run_records(
        filters=dg.RunsFilter(statuses=list(FAILED), tags={MODEL_TAG: model_type}, created_after=since), limit=100
    )
    return len(records), max((record.update_timestamp for record in records), default=None)


def _touches(run: dg.DagsterRun, model_type: ModelType) -> bool:
    if run.asset_selection is not None:
        return any(key.path[0] == model_type for key in run.asset_selection)
    return run.job_name in (BOTH_MODELS_JOB, job_name(model_type)) or run.job_name.startswith("__ASSET_JOB")


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
