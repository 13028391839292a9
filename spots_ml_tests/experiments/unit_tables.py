"""Units of worlds with known truth, as tables, and the rollouts that they are of."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from spots_ml.estimates.estimate import Estimate
from spots_ml.experiments.evidence_record import EValue, Evidence, Guardrail, StageCounts
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.experiments.rollout import Rollout, RolloutAction, RolloutEvent, StagePeriod
from spots_ml.experiments.units import ENTERED, UNITS

T0 = datetime(2026, 11, 1, tzinfo=UTC)
STAGE_DAYS = 20
WINDOW_DAYS = 7


def rollout(**changes) -> Rollout:
    told = {
        "model_type": "calling_score",
        "kind": "version",
        "version": "v1.4-real",
        "weight": 0.3,
        "champion": "v1.3-real",
        "salt": "0" * 32,
        "policy": RolloutPolicy(),
        "n_before": 0,
        "n_promoted_before": 0,
        "level": 0.02,
        "number": 1,
        "status": "running",
        "stage": 1,
        "started_at": T0,
        "last_event": 1,
    }
    return Rollout(**{**told, **changes})


def event(number: int, action: RolloutAction, *, days: float = 0.0, stage: int = 1, cause="evidence") -> RolloutEvent:
    policy = RolloutPolicy()
    over = action in ("promoted", "rolled_back", "ended")
    return RolloutEvent(
        number=number,
        rollout=1,
        at=T0 + timedelta(days=days),
        action=action,
        stage=stage,
        share=0.0 if over else policy.shares[stage - 1],
        actor="test",
        cause=cause,
        reason="because",
    )


def events_until(stage: int) -> list[RolloutEvent]:
    return [
        event(1 + before, "widened" if before else "started", days=STAGE_DAYS * before, stage=before + 1)
        for before in range(stage)
    ]


def periods(stage: int) -> tuple[StagePeriod, ...]:
    shares = (0.0, *RolloutPolicy().shares)
    return tuple(
        StagePeriod(
            stage=each,
            low=shares[each - 1],
            share=shares[each],
            since=T0 + timedelta(days=STAGE_DAYS * (each - 1)),
            until=None if each == stage else T0 + timedelta(days=STAGE_DAYS * each),
        )
        for each in range(1, stage + 1)
    )


def unit_table(
    rng: np.random.Generator,
    n_by_stage,
    *,
    effect=0.0,
    base=(0.3, 0.3),
    spread=0.3,
    together=0.0,
    minutes=1,
    negative=(0.05, 0.05),
    called=(0.4, 0.4),
    fallback=(0.0, 0.0),
    n_otherwise=0,
) -> pa.Table:
    """Units by stage; `effect` of the treated on the value, `together` how much earlier values say of it.

    `minutes`: units become whole in steps of so many, within each by place. Pairs are of the others and the treated.
    """
    parts = []
    for period, n in zip(periods(len(n_by_stage)), n_by_stage, strict=True):
        place = rng.uniform(period.low, 1.0, n)
        treated = place < period.share
        entered = np.sort(rng.integers(0, STAGE_DAYS * 1440 // 2, n)) // minutes * minutes
        order = np.lexsort((place, entered))
        place, treated, entered = place[order], treated[order], entered[order]
        earlier = rng.normal(0.0, 0.3, n)
        mean = base[period.stage - 1] + effect * treated + together * earlier
        value = np.clip(mean + rng.normal(0.0, spread, n), -1.0, 1.0)
        at = [period.since + timedelta(minutes=int(each)) for each in entered]
        days = np.clip(value[:, None] + rng.normal(0.0, 0.1, (n, WINDOW_DAYS)), -1.0, 1.0)
        parts.append(
            {
                "stage": np.full(n, period.stage, np.int16),
                "agent_id": [f"agent-{period.stage}-{each}" for each in range(n)],
                "place": place,
                "treated": treated,
                "entered_at": at,
                "matured_at": [each + timedelta(days=9) for each in at],
                "n_decisions": np.full(n, 10, np.int32),
                "n_phone": np.zeros(n, np.int32),
                "n_otherwise": np.full(n, n_otherwise, np.int32),
                "value": value,
                "daily_values": days.tolist(),
                **{
                    name: rng.binomial(10, np.where(treated, pair[1], pair[0])) / 10.0
                    for name, pair in (("called", called), ("negative", negative), ("fallback", fallback))
                },
                "slow": np.zeros(n),
                "n_earlier": np.full(n, 10, np.int32),
                "earlier_value": earlier,
                "first_formula_score": rng.uniform(0.0, 1.0, n),
            }
        )
    columns = {"number": np.arange(1, sum(n_by_stage) + 1)}
    for name in UNITS.names[1:]:
        columns[name] = [each for part in parts for each in part[name]]
    return pa.table(columns, schema=UNITS)


def entered_of(units: pa.Table) -> pa.Table:
    """Those whose units they are, and nobody else."""
    return pa.table({name: units[name] for name in ENTERED.names}, schema=ENTERED)


def e_value(log_e=0.0, needed=4.0) -> EValue:
    return EValue(log_e=log_e, peak=max(log_e, 0.0), needed=needed)


def known(
    stage=1,
    *,
    benefit=0.0,
    harm=0.0,
    not_much_worse=0.0,
    guardrail=0.0,
    sample_ratio=0.0,
    effect=0.02,
    spread=0.3,
    n_units=(100, 900),
    otherwise_share=0.0,
    entered_by_day=(100,) * 12,
) -> Evidence:
    """Evidence as it might be; e-values as logarithms, all of which need 4."""
    number = Estimate(value=0.1, low=0.05, high=0.15, method="binomial", n_rows=100, n_agents=100)
    found = Estimate(value=effect, low=-0.1, high=0.14, method="confidence_sequence", n_rows=1_000, n_agents=1_000)
    shares = (0.1, 4.0 / 9.0)
    return Evidence(
        as_of=T0,
        stages=tuple(
            StageCounts(
                stage=each,
                conditional_share=shares[each - 1],
                n_entered_treated=n_units[0],
                n_entered_control=n_units[1],
                n_units_treated=n_units[0],
                n_units_control=n_units[1],
                entered_by_day=entered_by_day,
            )
            for each in range(1, stage + 1)
        ),
        benefit=e_value(benefit),
        harm=e_value(harm),
        not_much_worse=e_value(not_much_worse),
        effect=found,
        relative=found,
        spread=spread,
        guardrails=(Guardrail(name="negative", margin=0.03, treated=number, control=number, worse=e_value(guardrail)),),
        sample_ratio=e_value(sample_ratio),
        otherwise_share=otherwise_share,
        by_day=(),
    )
