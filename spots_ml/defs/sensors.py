"""The retraining sensors, one per model: they collect the state, ask `monitoring.retraining`, and do what it says.

Every tick's answer is shown in the UI. There is no cursor: the state is what was registered, what has arrived and what
is running, so nothing is lost by a failed run or a restarted daemon.
"""

from typing import Final

import dagster as dg

from spots_ml.defs.assets.interactions import SourceOptions
from spots_ml.defs.jobs import MODEL_JOBS
from spots_ml.defs.resources import Platform
from spots_ml.defs.runs import MODEL_TAG, fail_abandoned_runs, failures_since, runs_in_flight
from spots_ml.models.declared import ModelType, declared_types
from spots_ml.monitoring.retraining import RetrainState, Wait, decide

REASON_TAG: Final = "spots_ml/reason"
_INTERVAL_S: Final = 60
_ATTEMPTS: Final = 2
"""How often a call to the store is sent: the next tick asks again, and Dagster ends one that takes a minute."""


def retrain_state(instance: dg.DagsterInstance, platform: Platform, model_type: ModelType) -> RetrainState:
    """Collect what the retraining decision depends on.

    Args:
        instance: Dagster's run history.
        platform: Where versions and interactions are kept.
        model_type: Which model.

    Returns:
        The state now.
    """
    store = platform.store(attempts=_ATTEMPTS)
    newest = store.newest(model_type)
    registered_at = newest.last_registered_at if newest else None
    n_failed, last_failure_at = failures_since(instance, model_type, registered_at)
    now = platform.now()
    return RetrainState(
        now=now,
        registered_at=registered_at,
        new_labels=store.count_labels_after(store.own_watermark(newest.watermark) if newest else None),
        in_flight=runs_in_flight(instance, model_type, now),
        failures_since_success=n_failed,
        last_failure_at=last_failure_at,
    )


def retraining_sensor(model_type: ModelType) -> dg.SensorDefinition:
    """Build the sensor of one model.

    Args:
        model_type: Which model.

    Returns:
        A sensor that is on by default.
    """

    @dg.sensor(
        name=f"retrain_{model_type}",
        job=MODEL_JOBS[model_type],
        minimum_interval_seconds=_INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            f"Retrains {model_type} when 1,000 new labels have arrived since the data behind its newest version, or "
            "seven days after that was registered; never while a run that trains it is queued or running."
        ),
    )
    def retrain(
        context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]
    ) -> dg.RunRequest | dg.SkipReason:
        """Ask whether it is time, and say how far it is."""
        fail_abandoned_runs(context.instance)
        state = retrain_state(context.instance, platform, model_type)
        decision = decide(state, platform.settings.retrain)
        if isinstance(decision, Wait):
            return dg.SkipReason(decision.message)
        context.log.info(decision.message)
        return dg.RunRequest(
            run_config=dg.RunConfig(
                ops={"raw_training_data": SourceOptions(source=_source(platform, model_type, state))}
            ),
            tags={REASON_TAG: decision.message, MODEL_TAG: model_type},
        )

    return retrain


def _source(platform: Platform, model_type: ModelType, state: RetrainState) -> str:
    """Learn from the store once enough labels arrived there, for good; before, from what the settings say."""
    store = platform.store(attempts=_ATTEMPTS)
    newest = store.newest(model_type)
    learned_from_store = newest is not None and store.own_watermark(newest.watermark) is not None
    enough = state.new_labels >= platform.settings.retrain.new_labels
    return platform.settings.store if enough or learned_from_store else platform.settings.source


SENSORS: Final = tuple(retraining_sensor(model_type) for model_type in declared_types())
