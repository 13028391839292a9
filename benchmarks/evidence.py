"""What the rules of rollouts do in worlds with known truth: who is promoted, rolled back, ended, and when.

Every world is a whole ramp by the real evidence, decision and error budget, looked at daily:

- Agents come back: 30 % of them are active on a day, with 1 + Poisson(1) decisions. An agent's chance of a positive
  outcome is its own (beta distribution, correlation 0.2 within agents), 40 % on average; the base rate drifts by a wave
  of 6 points and a trend of up to 10 points in 60 days; 5 % of decisions come out negative.
- Outcomes arrive after 12 hours on average (exponential); those later than the maturity count as none.
- What is planted is an effect in points of the value per decision; of each agent's decisions before the rollout those
  of 28 days are known, or none. Agents are those of the hybrid group.
- Looked at once: a z-test at 5 % of all units of the first stage that are whole by a day, on the first day on which it
  finds as many of the worlds as were rolled back, at most 99.5 %.
- A lifetime: many releases of one store in a row, half of them no better and half 10 points better, 300 active agents
  a day, one error budget.
- Told: the day of promotion that is first told, if one is told before it happens, against that day.

Rates are shares of worlds with their standard error. `--quick` runs a tenth of the worlds.
"""

import argparse
import json
import math
import os
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from spots_ml.experiments.budget import level_at
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.experiments.rollout import Rollout, RolloutEvent, stage_periods
from spots_ml.experiments.weighing.evidence import Trail
from spots_ml.experiments.weighing.outlook import outlook
from spots_ml.experiments.weighing.ramp import decide_rollout

T0 = datetime(2026, 1, 1, tzinfo=UTC)
ACTIVE = 0.3
BASE = 0.4
NEGATIVE = 0.05
CORRELATION = 0.2
DELAY_DAYS = 0.5
EARLIER_DAYS = 28


@dataclass(frozen=True)
class Setting:
    """What a world is like."""

    active_a_day: int = 1_000
    effect: float = 0.0
    known_before: bool = True
    policy: RolloutPolicy = field(default_factory=RolloutPolicy)


@dataclass(frozen=True)
class Ended:
    """How a ramp ended: the last step and its cause, its day, the largest share, and the day first told for it."""

    step: str
    cause: str | None
    day: int
    share: float
    told: str
    told_day: float | None


class World:
    """A population, and what its agents would do in either arm."""

    def __init__(self, rng: np.random.Generator, setting: Setting) -> None:
        self.setting, self.rng = setting, rng
        self.n = round(setting.active_a_day / ACTIVE)
        self.horizon = math.ceil(setting.policy.longest_days) + 1
        total = 1.0 / CORRELATION - 1.0
        self.chance = rng.beta(BASE * total, (1.0 - BASE) * total, self.n)
        self.place = rng.random(self.n)
        self.active = rng.random((self.n, self.horizon + 8)) < ACTIVE
        self.hour = rng.random(self.n)
        self.trend, self.phase = rng.uniform(-0.1, 0.1), rng.uniform(0.0, 2.0 * np.pi)
        days = rng.binomial(EARLIER_DAYS, ACTIVE, self.n)
        self.n_earlier = days + rng.poisson(days) if setting.known_before else np.zeros(self.n, np.int64)
        self.earlier = self._decided(self.n_earlier, np.zeros(self.n), np.zeros(self.n, bool))["value"]

    def units(self, stage: int, low: float, share: float, since: float, until: float) -> dict[str, np.ndarray]:
        """All units of a stage that would be whole if it lasted until then, in the order of their moments."""
        first = math.ceil(since)
        later = self.active[:, first:]
        fresh = np.flatnonzero((self.place >= low) & later.any(axis=1))
        entered = first + later[fresh].argmax(axis=1) + self.hour[fresh]
        window = round(self.setting.policy.window_days)
        fits = entered + window <= until
        fresh, entered = fresh[fits], entered[fits]
        order = np.argsort(entered, kind="stable")
        fresh, entered = fresh[order], entered[order]
        day = entered.astype(np.int64)
        summed = np.concatenate([np.zeros((self.n, 1), np.int64), np.cumsum(self.active, axis=1)], axis=1)
        n_days = summed[fresh, np.minimum(day + window, summed.shape[1] - 1)] - summed[fresh, day]
        treated = self.place[fresh] < share
        decisions = n_days + self.rng.poisson(n_days)
        told = self._decided(decisions, entered + window / 2.0, treated, fresh)
        return {
            "stage": np.full(len(fresh), stage),
            "treated": treated,
            "entered": entered,
            "n_decisions": decisions,
            "n_earlier": self.n_earlier[fresh],
            "earlier_value": np.where(self.n_earlier[fresh] > 0, self.earlier[fresh], np.nan),
            **told,
        }

    def _decided(self, n, day, treated, agents=None):
        rng, late = self.rng, math.exp(-self.setting.policy.maturity_hours / 24.0 / DELAY_DAYS)
        chance = self.chance if agents is None else self.chance[agents]
        drift = 0.06 * np.sin(2.0 * np.pi * day / 30.0 + self.phase) + self.trend * day / 60.0
        rate = BASE + drift
        drifted = np.where(drift > 0.0, chance + (1.0 - chance) * drift / (1.0 - BASE), chance * (1.0 + drift / BASE))
        effect = self.setting.effect * treated
        moved = np.where(
            effect > 0.0, drifted + (1.0 - drifted) * effect / (1.0 - rate), drifted * (1.0 + effect / rate)
        )
        negative = rng.binomial(n, NEGATIVE * (1.0 - late))
        positive = rng.binomial(n, np.clip(moved + NEGATIVE, 0.0, 1.0) * (1.0 - late))
        called = np.maximum(positive, negative) + rng.binomial(n - np.maximum(positive, negative), 0.3)
        per = np.maximum(n, 1)
        return {
            "value": np.clip((positive - negative) / per, -1.0, 1.0),
            "negative": negative / per,
            "called": called / per,
        }


def _table(parts: list[dict[str, np.ndarray]], maturity_days: float) -> pa.Table:
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    n = len(joined["entered"])
    matured = np.round((joined["entered"] + maturity_days) * 86_400e6).astype(np.int64)
    start = int(T0.timestamp() * 1e6)
    columns = {
        "stage": joined["stage"].astype(np.int16),
        "treated": joined["treated"],
        "matured_at": pa.array(start + matured, pa.timestamp("us", "UTC")),
        "entered_at": pa.array(
            start + np.round(joined["entered"] * 86_400e6).astype(np.int64), pa.timestamp("us", "UTC")
        ),
        "n_otherwise": np.zeros(n, np.int32),
        "fallback": np.zeros(n),
        "slow": np.zeros(n),
        "first_formula_score": np.full(n, 0.5),
        **{name: joined[name] for name in ("value", "negative", "called", "n_decisions", "n_earlier", "earlier_value")},
    }
    return pa.table(columns)


def _entered(parts: list[dict[str, np.ndarray]]) -> tuple[pa.Table, np.ndarray]:
    moments = np.concatenate([part["entered"] for part in parts])
    order = np.argsort(moments, kind="stable")
    at = int(T0.timestamp() * 1e6) + np.round(moments[order] * 86_400e6).astype(np.int64)
    table = {
        "stage": np.concatenate([part["stage"] for part in parts])[order].astype(np.int16),
        "treated": np.concatenate([part["treated"] for part in parts])[order],
        "entered_at": pa.array(at, pa.timestamp("us", "UTC")),
    }
    return pa.table(table), moments[order]


def ramp(rng: np.random.Generator, setting: Setting, *, n_before: int = 0, n_promoted: int = 0) -> Ended:
    """Roll one version out, looked at daily, until it is over."""
    policy, world = setting.policy, World(rng, setting)
    delay = policy.window_days + policy.maturity_hours / 24.0
    rollout = Rollout(
        model_type="calling_score", kind="version", version="v2", weight=0.3, champion="v1", salt="0" * 32,
        policy=policy, n_before=n_before, n_promoted_before=n_promoted,
        level=level_at(n_before, n_promoted, policy.lifetime_level),
        number=1, status="running", stage=1, started_at=T0, last_event=1,
    )  # fmt: skip
    events = [_event(1, "started", 0, policy.shares[0], 1)]
    everybody = [world.units(1, 0.0, policy.shares[0], 0.0, np.inf)]
    whole, told_day = list(everybody), None
    trail, entered, ends = _prepared(rollout, events, whole, everybody, delay)
    for day in range(1, world.horizon + 1):
        n_units, n_entered = (int(np.searchsorted(each, day, side="right")) for each in ends)
        evidence = trail.at(n_units, entered.slice(0, n_entered), as_of=_at(day), intervals=False)
        decision = decide_rollout(rollout, events, evidence, now=_at(day))
        if told_day is None and decision.step == "hold":
            at = outlook(rollout, stage_periods(events)[-1], evidence, now=_at(day)).promoted_at
            told_day = None if at is None else (at - T0) / timedelta(days=1)
        if decision.step == "widen":
            stage = rollout.stage + 1
            everybody[-1] = {name: each[everybody[-1]["entered"] < day] for name, each in everybody[-1].items()}
            fits = whole[-1]["entered"] + policy.window_days <= day
            whole[-1] = {name: each[fits] for name, each in whole[-1].items()}
            low, share = policy.shares[stage - 2], policy.shares[stage - 1]
            fresh = world.units(stage, low, share, float(day), np.inf)
            everybody, whole = [*everybody, fresh], [*whole, fresh]
            events.append(_event(stage, "widened", day, share, stage))
            rollout = rollout.model_copy(update={"stage": stage})
            trail, entered, ends = _prepared(rollout, events, whole, everybody, delay)
        elif decision.change is not None:
            return Ended(decision.step, decision.cause, day, rollout.share, decision.told, told_day)
    raise RuntimeError(f"the ramp goes on: {decision.told}")


def _prepared(rollout, events, whole, everybody, delay):
    entered, moments = _entered(everybody)
    trail = Trail(rollout, stage_periods(events), _table(whole, delay))
    return trail, entered, (np.concatenate([part["entered"] for part in whole]) + delay, moments)


def _at(day: float) -> datetime:
    return T0 + timedelta(days=day)


def _event(number: int, action: str, day: float, share: float, stage: int) -> RolloutEvent:
    return RolloutEvent(
        number=number, rollout=1, at=_at(day), action=action, stage=stage, share=share, actor="benchmark",
        cause="evidence", reason="benchmark",
    )  # fmt: skip


def _ramp_of(job: tuple[int, Setting]) -> Ended:
    seed, setting = job
    return ramp(np.random.default_rng((11, seed)), setting)


@dataclass(frozen=True)
class Lifetime:
    """Of one store: promoted versions that were better and that were not, and how many rollouts were better."""

    n_better: int
    promoted_better: int
    promoted_not: int


def _lifetime_of(job: tuple[int, Setting, int]) -> Lifetime:
    seed, setting, n_releases = job
    rng = np.random.default_rng((12, seed))
    better = rng.permutation(n_releases) < n_releases // 2
    promoted = [0, 0]
    for number, is_better in enumerate(better):
        tried = replace(setting, effect=setting.effect if is_better else 0.0)
        ended = ramp(rng, tried, n_before=number, n_promoted=sum(promoted))
        promoted[int(is_better)] += ended.step == "promote"
    return Lifetime(int(better.sum()), promoted[1], promoted[0])


def _fixed_horizon(job: tuple[int, Setting]) -> np.ndarray:
    """By day: whether a z-test of all units of the first stage that are whole by then would reject, looked at once."""
    seed, setting = job
    world = World(np.random.default_rng((13, seed)), setting)
    units = world.units(1, 0.0, setting.policy.shares[0], 0.0, np.inf)
    delay = setting.policy.window_days + setting.policy.maturity_hours / 24.0
    found = []
    for day in range(world.horizon + 1):
        part = units["entered"] + delay <= day
        both = [units["value"][part & (units["treated"] == arm)] for arm in (True, False)]
        if min(map(len, both)) < 2:
            found.append(False)
            continue
        z = (both[0].mean() - both[1].mean()) / math.sqrt(sum(each.var(ddof=1) / len(each) for each in both))
        found.append(bool(z * np.sign(setting.effect) >= 1.6449))
    return np.array(found)


def _share(hits: list[bool]) -> dict[str, float]:
    rate = float(np.mean(hits))
    return {"rate": round(rate, 4), "standard_error": round(math.sqrt(max(rate * (1 - rate), 1e-4) / len(hits)), 4)}


def _summary(name: str, setting: Setting, ended: list[Ended], seconds: float, **more: object) -> None:
    told = [each.told_day / each.day for each in ended if each.step == "promote" and each.told_day is not None]
    days = {step: [each.day for each in ended if each.step == step] for step in ("promote", "roll_back", "end")}
    print(
        json.dumps(
            {
                "benchmark": name,
                "worlds": len(ended),
                "active_agents_a_day": setting.active_a_day,
                "effect": setting.effect,
                "promoted": _share([each.step == "promote" for each in ended]),
                "rolled_back": _share([each.step == "roll_back" for each in ended]),
                "beyond_the_first_share": _share([each.share > setting.policy.shares[0] for each in ended]),
                "how": dict(Counter(f"{each.step}: {each.cause}" for each in ended).most_common()),
                "median_day": {step: float(np.median(each)) for step, each in days.items() if each},
                "ninth_decile_day": {step: float(np.quantile(each, 0.9)) for step, each in days.items() if each},
                "told_by_realised_day": np.quantile(told, [0.1, 0.5, 0.9]).round(2).tolist() if told else None,
                **more,
                "seconds": round(seconds, 1),
            }
        ),
        flush=True,
    )


def _main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--worlds", type=int, default=400)
    options.add_argument("--releases", type=int, default=30)
    options.add_argument("--only", nargs="*", help="names of settings")
    options.add_argument("--quick", action="store_true", help="a tenth of the worlds")
    options.add_argument("--policy", default="{}", help="changes of the policy as JSON")
    asked = options.parse_args()
    n = asked.worlds // 10 if asked.quick else asked.worlds
    policy = RolloutPolicy.model_validate(json.loads(asked.policy))
    base, never_futile = Setting(policy=policy), policy.model_copy(update={"futile_below": 0.0})
    settings = {
        "no difference": base,
        "no difference, 200 a day": replace(base, active_a_day=200),
        "no difference, never futile": replace(base, policy=never_futile),
        "-10 points": replace(base, effect=-0.1),
        "-10 points, never futile": replace(base, effect=-0.1, policy=never_futile),
        "+6 points": replace(base, effect=0.06),
        "+6 points, nothing known before": replace(base, effect=0.06, known_before=False),
        "+3 points": replace(base, effect=0.03),
        "+3 points, 200 a day": replace(base, effect=0.03, active_a_day=200),
        "+6 points, 500 a day": replace(base, effect=0.06, active_a_day=500),
        "+12 points, 200 a day": replace(base, effect=0.12, active_a_day=200),
    }
    print(json.dumps({"method": (__doc__ or "").strip(), "policy": policy.model_dump(), "cores": os.cpu_count()}))
    with ProcessPoolExecutor(2) as pool:
        for name, setting in settings.items():
            if asked.only and name not in asked.only:
                continue
            begun = time.perf_counter()
            ended = list(pool.map(_ramp_of, [(seed, setting) for seed in range(n)], chunksize=4))
            more: dict[str, object] = {}
            if setting.effect <= -0.1:
                power = np.mean([each.step == "roll_back" for each in ended])
                once = np.mean(list(pool.map(_fixed_horizon, [(seed, setting) for seed in range(n)])), axis=0)
                target = min(power, 0.995)
                day = int(np.argmax(once >= target))
                more = {"looked_at_once": {"power": round(float(once[day]), 4), "day": day}}
            _summary(name, setting, ended, time.perf_counter() - begun, **more)
        if not asked.only or "lifetime" in asked.only:
            begun = time.perf_counter()
            lives = list(
                pool.map(
                    _lifetime_of,
                    [(seed, replace(base, effect=0.1, active_a_day=300), asked.releases) for seed in range(n)],
                )
            )
            wrong = [each.promoted_not / max(each.promoted_not + each.promoted_better, 1) for each in lives]
            print(
                json.dumps(
                    {
                        "benchmark": "lifetime",
                        "worlds": n,
                        "releases": asked.releases,
                        "promoted_no_better": sum(each.promoted_not for each in lives),
                        "no_better_among_the_promoted": round(float(np.mean(wrong)), 4),
                        "standard_error": round(float(np.std(wrong) / math.sqrt(n)), 4),
                        "better_ones_promoted": round(
                            sum(each.promoted_better for each in lives) / sum(each.n_better for each in lives), 4
                        ),
                        "seconds": round(time.perf_counter() - begun, 1),
                    }
                )
            )


if __name__ == "__main__":
    _main()
