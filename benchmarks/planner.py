"""Holds the planner's days against those on which rollouts find an effect, by the real evidence and decisions.

    python benchmarks/planner.py [--worlds 60] [--first-seed 0]

Prints one JSON line per setting. Worlds and rollouts are those of `evidence.py`: agents come back, the base rate
drifts, outcomes come late. The planner is told what the log of another such world says: how agents come, and the spread
of units of a rollout without effect. Realised is the median day on which rollouts are promoted (a benefit) or rolled
back for harm of the value; a rollout that ends otherwise counts as later than any. A prediction is right when it is
within 25 % of that, or when both are "never".
"""

import argparse
import json
import math
import os
import platform
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta

import numpy as np
import pyarrow as pa
from evidence import T0, Ended, Setting, World, ramp

from spots_ml.experiments.budget import level_at
from spots_ml.experiments.forecasting.planner import Traffic, plan_rollout
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.experiments.rollout import StagePeriod
from spots_ml.experiments.weighing.payoffs import VALUE, unit_payoffs

SETTINGS = (
    Setting(active_a_day=180, effect=-0.1),
    Setting(active_a_day=1_000, effect=-0.1),
    Setting(active_a_day=500, effect=-0.1),
    Setting(active_a_day=1_000, effect=0.06),
    Setting(active_a_day=600, effect=0.06),
    Setting(active_a_day=1_000, effect=0.1, known_before=False),
    Setting(active_a_day=200, effect=0.03),
    Setting(active_a_day=3_000, effect=0.03),
    Setting(active_a_day=300, effect=0.08),
    Setting(active_a_day=1_200, effect=0.04),
    Setting(active_a_day=400, effect=0.08, known_before=False),
    Setting(active_a_day=600, effect=0.06, policy=RolloutPolicy(window_days=14.0, longest_days=90.0)),
)
LOG_DAYS = 28


def traffic_of(setting: Setting, seed: int) -> Traffic:
    """Tell what the log of such a world says before any rollout.

    Args:
        setting: The kind of world; its effect is not there yet.
        seed: Of the world.

    Returns:
        Traffic and spread.
    """
    before = Setting(active_a_day=setting.active_a_day, known_before=setting.known_before, policy=setting.policy)
    world, policy = World(np.random.default_rng((21, seed)), before), setting.policy
    delay = policy.window_days + policy.maturity_hours / 24.0
    came = world.units(1, 0.0, 0.5, 0.0, math.inf)["entered"]
    told = world.units(1, 0.0, 0.5, 0.0, LOG_DAYS - policy.maturity_hours / 24.0)
    n = len(told["entered"])
    matured = int(T0.timestamp() * 1e6) + np.round((told["entered"] + delay) * 86_400e6).astype(np.int64)
    units = pa.table(
        {
            "stage": told["stage"].astype(np.int16),
            "matured_at": pa.array(matured, pa.timestamp("us", "UTC")),
            "first_formula_score": np.full(n, 0.5),
            **{name: np.zeros(n) for name in ("fallback", "slow")},
            **{name: told[name] for name in ("treated", "value", "negative", "called", "n_earlier", "earlier_value")},
        }
    )
    period = StagePeriod(1, 0.0, 0.5, T0, T0 + timedelta(days=LOG_DAYS))
    paid = unit_payoffs(units, [period], policy.values).of(VALUE)
    return Traffic(
        agents_per_day=setting.active_a_day,
        came_by_day=tuple(float(np.count_nonzero(came <= day)) for day in range(LOG_DAYS + 1)),
        spread=math.sqrt(float(np.square(paid.payoff).sum() / paid.weight.sum())),
        n_units=n,
    )


def ended(job: tuple[int, Setting]) -> Ended:
    """Roll one version out.

    Args:
        job: Seed and setting.

    Returns:
        How that ended.
    """
    seed, setting = job
    return ramp(np.random.default_rng((22, seed)), setting)


def day_found(how: Ended, effect: float) -> float:
    """Tell when the effect was found; infinite where it was not."""
    found = how.step == "promote" if effect > 0.0 else how.step == "roll_back" and how.cause == "harm"
    return float(how.day) if found else math.inf


def measure(setting: Setting, seeds: range, pool: ProcessPoolExecutor) -> dict[str, object]:
    """Hold one plan against rollouts.

    Args:
        setting: The kind of world.
        seeds: One per rollout.
        pool: Works them off.

    Returns:
        Both days, and whether they agree.
    """
    level = level_at(0, 0, setting.policy.lifetime_level)
    (planned,) = plan_rollout(traffic_of(setting, seeds[0]), setting.policy, level, (setting.effect,)).effects
    ends = list(pool.map(ended, [(seed, setting) for seed in seeds]))
    days = np.sort([day_found(one, setting.effect) for one in ends])
    middle = days[math.ceil(len(days) / 2) - 1]
    realised = float(middle) if math.isfinite(middle) else None
    if planned.day is None or realised is None:
        right = planned.day is None and realised is None
    else:
        right = abs(planned.day / realised - 1.0) <= 0.25
    return {
        "agents_per_day": setting.active_a_day,
        "effect": setting.effect,
        "known_before": setting.known_before,
        "window_days": setting.policy.window_days,
        "planned_day": planned.day,
        "realised_median_day": realised,
        "planned_over_day": planned.over_day,
        "realised_over_day": float(np.median([one.day for one in ends])),
        "planned_found": planned.found,
        "realised_found": float(np.isfinite(days).mean()),
        "right": right,
        "ends": {
            f"{one.step} {one.cause}": sum((o.step, o.cause) == (one.step, one.cause) for o in ends) for one in ends
        },
        "worlds": len(seeds),
    }


def main() -> None:
    """Measure every setting."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--worlds", type=int, default=60)
    parser.add_argument("--first-seed", type=int, default=0)
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.worlds)
    method = {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count(), "seeds": str(seeds)}
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for setting in SETTINGS:
            print(json.dumps({**measure(setting, seeds, pool), **method}), flush=True)


if __name__ == "__main__":
    main()
