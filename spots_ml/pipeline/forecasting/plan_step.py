"""Plans a rollout from what the store knows of the traffic."""

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from spots_ml.experiments.budget import next_level
from spots_ml.experiments.decided import decided_once
from spots_ml.experiments.forecasting.planner import DEFAULT_EFFECTS, Plan, plan_rollout
from spots_ml.experiments.forecasting.traffic import EARLIER, LOOKS_BACK, logged_traffic
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.models.declared import ModelType
from spots_ml.monitoring.performance import served_among
from spots_ml.registry.service import service_periods
from spots_ml.scoring.decision_log.phone_claims import counted_reports, judge_reports
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
    decided = decided_between(store, now - LOOKS_BACK - EARLIER, now)
    traffic = logged_traffic(decided, model_type, policy, now=now)
    return plan_rollout(traffic, policy, next_level(store.rollouts, policy.lifetime_level), effects)


def decided_between(store: Store, since: datetime, until: datetime) -> pa.Table:
    """Read what was decided by either route, each decision once.

    Args:
        store: The log, what phones report, and the registry's history.
        since: Begin, inclusive.
        until: End, exclusive.

    Returns:
        Rows of schema `experiments.decided.DECIDED`.
    """
    served = served_among(store.decisions.read_decisions(since, until))
    reports = store.phones.read_phone_decisions(since, until)
    claims = judge_reports(reports, service_periods(store.versions.history()), served)
    return decided_once(served, counted_reports(reports, claims))
