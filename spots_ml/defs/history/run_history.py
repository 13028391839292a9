"""Dagster's run history, in the words in which the retraining decision asks for it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg
from dagster._core.storage.runs import SqlRunStorage

from spots_ml.defs.history.problems import EVENTS, problems, was_refused
from spots_ml.defs.history.runs import ACTIVE, MODEL_TAG, STORE_TAG, is_abandoned, touches, trains
from spots_ml.interactions.kinds import StoreKind
from spots_ml.models.declared import ModelType
from spots_ml.monitoring.run_history import EndedRun, ModelRuns, RunUnderWay

ASKED_TAG: Final = "spots_ml/asked_at"
"""Set by the retraining sensors on the runs they ask for: the platform's time, as ISO 8601."""

_FAILED: Final = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
_WILL_RETRY_TAG: Final = "dagster/will_retry"
_RETRY_RUN_TAG: Final = "dagster/auto_retry_run_id"
_RESUMED_WITHIN: Final = timedelta(hours=1)
"""A killed run that Dagster has not resumed by then (it takes seconds) is not going to be."""

_LOOK_BACK: Final = 100
"""Ended runs that are looked at, newest first: more than any wait between two attempts needs."""


def _dagster_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class DagsterRunHistory:
    """Runs in one Dagster instance, in the platform's time.

    Dagster stamps its runs with the clocks of the machines they run on and of its database. None of these is held
    against the platform's: the sensor notes the platform's time on every run it asks for, and how long a run took is a
    difference of two of Dagster's own times. A run that carries no such note was started by hand; its age by Dagster's
    clock is counted back from the platform's present.

    Attributes:
        instance: Where the runs are recorded.
        dagster_now: Tells the present by Dagster's clock (UTC).
    """

    instance: dg.DagsterInstance
    dagster_now: Callable[[], datetime] = _dagster_now

    @property
    def name(self) -> str:
        """The id of the storage of the runs, which all daemons of one instance share."""
        storage = self.instance.run_storage
        return storage.get_run_storage_id() if isinstance(storage, SqlRunStorage) else self.instance.root_directory

    def runs(self, model_type: ModelType, *, store: StoreKind, now: datetime, since: datetime | None) -> ModelRuns:
        """Look up the runs of a model.

        Args:
            model_type: Which model.
            store: Ended ones only with this store; runs that do not say theirs are of no store.
            now: The present, by the platform's clock (UTC).
            since: Of the ended ones only those that were asked for later than this; None: all of them.

        Returns:
            Under way are queued, starting and running runs that touch the model's assets, whoever started them, and
            killed ones that Dagster is going to resume; not those whose process is gone. Failed ones are those that the
            model's sensor asked for, and their automatic retries, that ended in no gate's no and later than the last
            run of the model that succeeded.
        """
        succeeded = self._last_success(model_type, store)
        ended = [
            self._ended(record, now)
            for record in self._records(_FAILED, {MODEL_TAG: model_type, STORE_TAG: store})
            if (since is None or self._asked_at(record, now) > since) and record.storage_id > succeeded
        ]
        failed = sorted((run for run, was_refusal in ended if not was_refusal), key=lambda run: run.ended_at)
        return ModelRuns(in_flight=self._in_flight(model_type, now), failed=tuple(failed))

    def _last_success(self, model_type: ModelType, store: StoreKind) -> int:
        """The number of the newest run that registered the model on a store, by whomever; 0 without any."""
        succeeded = self._records((dg.DagsterRunStatus.SUCCESS,), {STORE_TAG: store})
        return max((record.storage_id for record in succeeded if trains(record.dagster_run, model_type)), default=0)

    def _in_flight(self, model_type: ModelType, now: datetime) -> tuple[RunUnderWay, ...]:
        active = [record for record in self._records(ACTIVE) if not is_abandoned(record.dagster_run)]
        killed = [
            record
            for record in self._records((dg.DagsterRunStatus.FAILURE,), {_WILL_RETRY_TAG: "true"})
            if is_to_be_resumed(record.dagster_run) and now - self._ended_at(record, now) < _RESUMED_WITHIN
        ]
        return tuple(
            RunUnderWay(record.dagster_run.run_id, self._asked_at(record, now))
            for record in (*active, *killed)
            if touches(record.dagster_run, model_type)
        )

    def _ended(self, record: dg.RunRecord, now: datetime) -> tuple[EndedRun, bool]:
        run_id = record.dagster_run.run_id
        logged = self.instance.all_logs(run_id, of_type=EVENTS)
        found = problems(entry.dagster_event for entry in logged if entry.dagster_event is not None)
        run = EndedRun(
            run_id,
            asked_at=self._asked_at(record, now),
            ended_at=self._ended_at(record, now),
            told="; ".join(problem.sentence for problem in found),
        )
        return run, was_refused(found)

    def _records(
        self, statuses: tuple[dg.DagsterRunStatus, ...], tags: dict[str, str] | None = None
    ) -> list[dg.RunRecord]:
        return list(self.instance.get_run_records(dg.RunsFilter(statuses=list(statuses), tags=tags), limit=_LOOK_BACK))

    def _asked_at(self, record: dg.RunRecord, now: datetime) -> datetime:
        noted = record.dagster_run.tags.get(ASKED_TAG)
        return datetime.fromisoformat(noted) if noted else now - (self.dagster_now() - record.create_timestamp)

    def _ended_at(self, record: dg.RunRecord, now: datetime) -> datetime:
        """An automatic retry carries the note of the run it goes on with, so its time is counted from that one."""
        run = record.dagster_run
        first = self.instance.get_run_record_by_id(run.root_run_id) if run.root_run_id else None
        return self._asked_at(record, now) + (_last_heard_at(record) - (first or record).create_timestamp)


def _last_heard_at(record: dg.RunRecord) -> datetime:
    return record.update_timestamp if record.end_time is None else datetime.fromtimestamp(record.end_time, UTC)


def is_to_be_resumed(run: dg.DagsterRun) -> bool:
    """Tell whether Dagster is about to go on with a run that was killed.

    It announces that for every killed run, but it can only launch again what it launched itself.

    Args:
        run: A run that failed.

    Returns:
        False also when it was resumed already.
    """
    announced = run.tags.get(_WILL_RETRY_TAG) == "true"
    return announced and run.remote_job_origin is not None and _RETRY_RUN_TAG not in run.tags
