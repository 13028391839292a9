"""The retraining sensors, one per model: they ask `monitoring.retraining` and do what it says.

Every tick's answer is shown in the UI. There is no cursor: the facts are what was registered, what has arrived and what
is running, so nothing is lost by a failed run or a restarted daemon. What somebody asked for is taken in the store
before a run is asked for; of two daemons one gets it (`monitoring.causes.requests`).
"""

from typing import Final

import dagster as dg

from spots_ml.defs.assets.interactions import SourceName, SourceOptions
from spots_ml.defs.assets.model.training import TrainingOptions
from spots_ml.defs.history.run_history import ASKED_TAG, DagsterRunHistory
from spots_ml.defs.history.runs import MODEL_TAG, STORE_TAG, fail_abandoned_runs
from spots_ml.defs.jobs import model_job
from spots_ml.defs.resources import Platform
from spots_ml.defs.retraining_states import retraining_state
from spots_ml.interactions.kinds import StoreKind
from spots_ml.models.declared import ModelType
from spots_ml.monitoring.causes.requests import told_numbers
from spots_ml.monitoring.retraining import Retrain, RetrainState, Wait, decide

REASON_TAG: Final = "spots_ml/reason"
REQUESTS_TAG: Final = "spots_ml/requests"
"""The numbers of the requests that a run was asked for by, as `3,4`."""
_INTERVAL_S: Final = 60
ATTEMPTS: Final = 2
"""How often a call to the store is sent: the next tick asks again, and Dagster ends one that takes a minute."""


def present_state(instance: dg.DagsterInstance, platform: Platform, model_type: ModelType) -> RetrainState:
    """Collect what the retraining decision depends on, as it is now.

    Args:
        instance: Dagster's run history.
        platform: Where versions and interactions are kept, and what time it is.
        model_type: Which model.

    Returns:
        The state of the model.
    """
    store = platform.store(attempts=ATTEMPTS)
    return retraining_state(platform, store, DagsterRunHistory(instance), model_type)


def retraining_sensor(model_type: ModelType, store: StoreKind) -> dg.SensorDefinition:
    """Build the sensor of one model.

    Args:
        model_type: Which model.
        store: The store that is configured.

    Returns:
        A sensor that is on by default.
    """

    @dg.sensor(
        name=f"retrain_{model_type}",
        job=model_job(model_type, store),
        minimum_interval_seconds=_INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            f"Retrains {model_type} when enough labels have arrived or were corrected since the data behind its newest "
            "version, when that is old, or when somebody asks for it; never while a run that trains it is queued or "
            "running, and never again what a gate has refused, as long as data, code and configuration are the same."
        ),
    )
    def retrain(
        context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]
    ) -> dg.RunRequest | dg.SkipReason:
        """Ask whether it is time, and say how far it is."""
        fail_abandoned_runs(context.instance)
        state = present_state(context.instance, platform, model_type)
        decision = decide(state, platform.settings.retrain)
        if isinstance(decision, Wait):
            return dg.SkipReason(decision.message)
        taken = _take(platform, state, decision)
        if decision.only_asked and not taken:
            return dg.SkipReason(f"{told_numbers(decision.requests)} was taken by another daemon just now")
        context.log.info(decision.message)
        return dg.RunRequest(
            run_config=_run_config(decision, model_type),
            tags={
                REASON_TAG: decision.message,
                MODEL_TAG: model_type,
                ASKED_TAG: state.now.isoformat(),
                STORE_TAG: state.sources.store,
                **({REQUESTS_TAG: ",".join(map(str, taken))} if taken else {}),
            },
        )

    return retrain


def _take(platform: Platform, state: RetrainState, decision: Retrain) -> tuple[int, ...]:
    """Take what was asked for; a daemon that dies hereafter takes it again."""
    if not decision.requests:
        return ()
    requests = platform.store(attempts=ATTEMPTS).retraining_requests
    return requests.take(decision.requests, taker=state.taker, now=state.now)


def _run_config(decision: Retrain, model_type: ModelType) -> dg.RunConfig:
    options: dict[str, dg.Config] = {"raw_training_data": SourceOptions(source=SourceName(decision.source))}
    if decision.anew:
        options[f"{model_type}__trained_model"] = TrainingOptions(anew=True)
    return dg.RunConfig(ops=options)
