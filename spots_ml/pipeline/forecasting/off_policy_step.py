"""What a version would have been worth in the place of what answers now: the log is read, and its decisions made again.

How it is estimated is in `experiments.forecasting.off_policy`.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from spots_ml.experiments.forecasting.decided_again import (
    LEFT_OUT_TEXTS,
    NEEDED,
    OUTCOMES,
    DecidedAgain,
    decide_again,
    reports_as_decisions,
)
from spots_ml.experiments.forecasting.matured_values import matured_values
from spots_ml.experiments.forecasting.off_policy import (
    LoggedDecisions,
    OffPolicyRules,
    OffPolicyValue,
    off_policy_value,
)
from spots_ml.experiments.forecasting.value_model import cross_fitted
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.interactions.columns import agents_by_name
from spots_ml.interactions.keeping.interaction_store import EmptyStoreError
from spots_ml.models.declared import ModelType, model_in
from spots_ml.models.spec import Role
from spots_ml.pipeline.rollouts.both_routes import read_both_routes
from spots_ml.registry.gates.decision_gate import answering_now
from spots_ml.registry.serving import serve_model
from spots_ml.release.onnx.predictor import UNHURRIED_S
from spots_ml.scoring.scorer import Scorer
from spots_ml.scoring.served import MissingModel, ServedModel
from spots_ml.stores.store import Store

LOOKS_BACK: Final = timedelta(days=28)
"""How far the log is read back: a month has every day of the week four times."""
_SEED: Final = 7
_FILTER: Final = model_in(Role.OUTCOME_FILTER).name


def value_from_log(
    store: Store,
    models_dir: Path,
    model_type: ModelType,
    version: str,
    *,
    weight: float,
    policy: RolloutPolicy,
    now: datetime,
    looks_back: timedelta = LOOKS_BACK,
    rules: OffPolicyRules | None = None,
) -> OffPolicyValue:
    """Estimate what a version would have been worth per decision, alone and beside what answers now.

    What was decided is made again, by the version in its role with what answers now in the other one, and by what
    answers now alone; everybody as an agent of the hybrid group. Where an outcome filter is on, a decision depends on
    the agent's history, which phones do not report: then what they decided is not made again.

    Args:
        store: The registry, the interactions and the log.
        models_dir: The folder of all published versions.
        model_type: Which model.
        version: Its version.
        weight: At which it would answer; of no use for other roles than the neural score.
        policy: Says what outcomes are worth, and how long they may take.
        now: The present, with a time zone.
        looks_back: How far the log is read back.
        rules: What the log must hold; None: the declared ones.

    Returns:
        The estimate, or why there is none.

    Raises:
        RegistryError: When there is no such version.
    """
    rules = rules or OffPolicyRules()
    candidate = serve_model(store.versions, models_dir, model_type, version=version, time_limit_s=UNHURRIED_S)
    if isinstance(candidate, MissingModel):
        return OffPolicyValue.nothing(f"{model_type} {version} does not answer: {candidate.detail}")
    answering = answering_now(store.versions, models_dir)
    if model_type not in answering:
        return OffPolicyValue.nothing(f"{model_type} has no part in the decision")
    since, until = now - looks_back, now - timedelta(hours=policy.maturity_hours)
    ours = answering | {model_type: replace(candidate, weight=weight)}
    of_history = any(models[_FILTER].filter_on for models in (ours, answering))
    decided = _decided(store, since, until, with_reports=not of_history)
    again = decide_again(decided, _interactions(store, since, until), [_scorer(ours), _scorer(answering)])
    share = again.decisions.num_rows / decided.num_rows if decided.num_rows else 1.0
    if share < rules.least_again:
        return OffPolicyValue.nothing(
            f"{share:.0%} of {decided.num_rows:,} decisions can be made again, {rules.least_again:.0%} must be "
            f"({_told(again)})"
        )
    matured, values = matured_values(again.decisions, policy, now=now)
    return _estimated(again, matured, values, rules)


def _decided(store: Store, since: datetime, until: datetime, *, with_reports: bool) -> pa.Table:
    """What was decided by either route, each decision once: of one that both tell, the service's."""
    served, reports = read_both_routes(store, since, until)
    table = served.select([*NEEDED, *OUTCOMES])
    if not with_reports:
        return table
    told = reports_as_decisions(reports)
    return pa.concat_tables([table.cast(told.schema), told])


def _estimated(again: DecidedAgain, matured: np.ndarray, values: np.ndarray, rules: OffPolicyRules) -> OffPolicyValue:
    decisions = again.decisions.filter(pa.array(matured))
    agents, called = agents_by_name(decisions["agent_id"]), decisions["called"].to_numpy()
    log = LoggedDecisions(
        agents=agents,
        guess=cross_fitted(agents, again.inputs[matured], values[matured], called, seed=_SEED),
        called=called,
        propensity=decisions["propensity"].to_numpy(),
        value=values[matured],
    )
    ours, theirs = again.called[matured].T
    return off_policy_value(log, ours, theirs, seed=_SEED, rules=rules)


def _scorer(models: dict[ModelType, ServedModel | MissingModel]) -> Scorer:
    return Scorer(models[model_in(Role.NEURAL_SCORE).name], models[_FILTER])


def _interactions(store: Store, since: datetime, until: datetime) -> Iterator[pa.RecordBatch]:
    try:
        yield from store.interactions.read_interactions(since=since, until=until).batches
    except EmptyStoreError:
        return


def _told(again: DecidedAgain) -> str:
    return "; ".join(f"{n:,}: {LEFT_OUT_TEXTS[why]}" for why, n in again.left_out.items())
