"""Plans a rollout from what the store knows of the traffic."""

from collections.abc import Sequence
from datetime import datetime

from spots_ml.experiments.budget import next_level
from spots_ml.experiments.forecasting.planner import DEFAULT_EFFECTS, Plan, plan_rollout
from spots_ml.experiments.forecasting.traffic import EARLIER, LOOKS_BACK, logged_traffic
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.models.declared import ModelType
from spots_ml.pipeline.rollouts.both_routes import read_decided
from spots_ml.stores.store import Store


def plan_next(
    store: Store,
    model_type: ModelType,
    policy: RolloutPolicy,
    effects: Sequence[float] = DEFAULT_EFFECTS,
    *,
    now: datetime,
) -> Plan:
    """Plan the next rollout of a model, at the level that it would get now.

    Args:
        store: The log, what phones report, the registry's history, and the rollouts so far.
        model_type: Which model.
        policy: The rules.
        effects: Different from 0.
        now: The present, with a time zone.

    Returns:
        The plan; the same log gives the same.

    Raises:
        InsufficientDataError: When the log says too little about the traffic.
    """
    decided = read_decided(store, now - LOOKS_BACK - EARLIER, now)
    traffic = logged_traffic(decided, model_type, policy, now=now)
    return plan_rollout(traffic, policy, next_level(store.rollouts, policy.lifetime_level), effects)
