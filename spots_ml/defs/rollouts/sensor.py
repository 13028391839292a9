"""The sensor of rollouts: takes back at once what cannot answer, asks for looks when they are due, and says why.

There is no cursor: what is due follows from the store and from when the asset was made last, so that a failed run or a
restarted daemon loses nothing. The key of a request is the state it follows from and the hour, so that a tick that is
evaluated twice asks once, and a look that failed is asked for again an hour later.
"""

from datetime import UTC, datetime
from typing import Final

import dagster as dg

from spots_ml.defs.history.runs import ACTIVE
from spots_ml.defs.jobs import ROLLOUTS
from spots_ml.defs.resources import Platform
from spots_ml.defs.rollouts.asset import rollout_key
from spots_ml.defs.sensors import ATTEMPTS, REASON_TAG
from spots_ml.models.declared import ModelType, declared_types

ROLLOUT_TAG: Final = "spots_ml/rolls_out"
"""Set on the runs that it asks for, to the model's name."""
SENSOR_ACTOR: Final = "rollout sensor"
_INTERVAL_S: Final = 60


@dg.sensor(
    name="rollouts",
    job=ROLLOUTS,
    minimum_interval_seconds=_INTERVAL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Looks at each model's rollout once a day, and at once when one may start or goes on; takes an active version "
        "back within a minute when its files are lost."
    ),
)
def rollout_sensor(
    context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]
) -> dg.SensorResult | dg.SkipReason:
    """Look at what each model's rollout stands at, without reading a decision."""
    found = [_ask(context.instance, platform, model_type) for model_type in declared_types()]
    told = "; ".join(sentence for sentence, _ in found)
    requests = [request for _, request in found if request is not None]
    if not requests:
        return dg.SkipReason(told)
    context.log.info(told)
    return dg.SensorResult(run_requests=requests)


def _ask(instance: dg.DagsterInstance, platform: Platform, model_type: ModelType) -> tuple[str, dg.RunRequest | None]:
    from spots_ml.pipeline.rollouts.due_look import look_due
    from spots_ml.pipeline.rollouts.safeguard import protect_files

    store, now = platform.store(attempts=ATTEMPTS), platform.now()
    taken_back = protect_files(store, platform.places, model_type, now=now, actor=SENSOR_ACTOR)
    if taken_back is not None:
        told = f"{model_type}: {taken_back.told(model_type)}"
        return told, _request(model_type, told, f"taken back {taken_back.version}", now)
    due = look_due(
        store,
        platform.places.models_dir,
        model_type,
        platform.settings.rollout,
        looked_at=_made_at(instance, model_type),
        now=now,
    )
    told = f"{model_type}: {due.told}"
    if not due.is_due:
        return told, None
    if _is_looking(instance, model_type):
        return f"{told}; a run is looking already", None
    return told, _request(model_type, told, due.state, now)


def _request(model_type: ModelType, told: str, state: str, now: datetime) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{model_type}: {state} ({now.astimezone(UTC):%Y-%m-%dT%H})",
        asset_selection=[rollout_key(model_type)],
        tags={REASON_TAG: told, ROLLOUT_TAG: model_type},
    )


def _made_at(instance: dg.DagsterInstance, model_type: ModelType) -> datetime | None:
    records = instance.fetch_materializations(rollout_key(model_type), limit=1).records
    return datetime.fromtimestamp(records[0].timestamp, UTC) if records else None


def _is_looking(instance: dg.DagsterInstance, model_type: ModelType) -> bool:
    wanted = dg.RunsFilter(job_name=ROLLOUTS.name, tags={ROLLOUT_TAG: model_type}, statuses=list(ACTIVE))
    return bool(instance.get_runs(wanted, limit=1))
