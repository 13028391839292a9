"""Measures how often the 95 % intervals of off-policy values hold the truth, and that they are refused without overlap.

    python benchmarks/off_policy.py [--worlds 500] [--first-seed 0] [--resamples 400] [--only NAME]

Prints one JSON line per setting. A world has agents with tastes of their own (standard deviation 0.25 of a value in
[-1, 1]) and 4 to 23 decisions each; a score decides, a fair coin decides in a share of the decisions; the candidate
decides by another score, which sees a second input. The truth is that of the law: the mean over a million agents, every
agent counting once. A setting holds overlap where the coin reaches at least 80 % of what the candidate changes; where a
coin reaches only part of the decisions, the truth is that of the part.
"""

import argparse
import json
import os
import platform
import time
from dataclasses import dataclass, replace

import numpy as np
from _logged_worlds import Drawn, World

from spots_ml.experiments.forecasting.off_policy import off_policy_value

_TRUTH_AGENTS = 80_000
_TRUTH_DRAWS = 12


@dataclass(frozen=True)
class Setting:
    """A kind of world.

    Attributes:
        name: In words.
        world: Its law.
        overlap: Whether there is overlap.
    """

    name: str
    world: World
    overlap: bool


SETTINGS = (
    Setting("coin in 20 %", World(n_agents=1_000), True),
    Setting("coin in 10 %, more agents", World(n_agents=1_500, explored=0.1), True),
    Setting("coin in 20 % of scores from 0.32 on", World(n_agents=1_000, explored_from=0.32), True),
    Setting("coin in 20 %, few calls", World(n_agents=1_500, threshold=0.8), True),
    Setting("no coin", World(n_agents=800, explored=0.0), False),
    Setting("coin in 20 % of scores from 0.48 on", World(n_agents=800, explored_from=0.48), False),
)


def truths(world: World) -> dict[str, float]:
    """Tell value and effect of the candidate by the law, on the part where calls were possible.

    Args:
        world: The law.

    Returns:
        By the names of the estimates.
    """
    large = replace(world, n_agents=_TRUTH_AGENTS)
    draws = [_truth(large.draw(np.random.default_rng((10**9, number)))) for number in range(_TRUTH_DRAWS)]
    value, effect = np.mean(draws, axis=0).tolist()
    return {"value": value, "value_snips": value, "effect": effect, "effect_snips": effect}


def _truth(drawn: Drawn) -> tuple[float, float]:
    mine, before = drawn.candidate(), drawn.wants
    possible = drawn.called | (drawn.propensity < 1.0)
    sign = mine.astype(float) - before
    value = _share(drawn, mine * drawn.worth, possible | ~mine)
    return value, _share(drawn, sign * drawn.worth, possible | (mine == before))


def _share(drawn: Drawn, part: np.ndarray, counted: np.ndarray) -> float:
    return drawn.per_agent(part * counted) / drawn.per_agent(counted.astype(float))


def measure(setting: Setting, seeds: range, n_resamples: int) -> dict[str, object]:
    """Count intervals that hold the truth.

    Args:
        setting: The kind of world.
        seeds: One per world.
        n_resamples: How many times agents are drawn.

    Returns:
        Shares by estimate, and what they are made of.
    """
    true = truths(setting.world)
    held = dict.fromkeys(true, 0)
    n_refused, widths, apart = 0, [], []
    begun = time.perf_counter()
    for seed in seeds:
        drawn = setting.world.draw(np.random.default_rng(seed))
        found = off_policy_value(drawn.log(), drawn.candidate(), drawn.wants, seed=seed, n_resamples=n_resamples)
        if found.cannot is not None:
            n_refused += 1
            continue
        for name in held:
            estimate = getattr(found, name)
            held[name] += estimate.low is not None and estimate.low <= true[name] <= estimate.high
        widths.append(found.effect.high - found.effect.low)
        apart.append(found.effect.value - true["effect"])
    n = len(seeds) - n_refused
    return {
        "setting": setting.name,
        "overlap": setting.overlap,
        "worlds": len(seeds),
        "refused": n_refused,
        "true_effect": round(true["effect"], 4),
        "mean_error": round(float(np.mean(apart)), 5) if apart else None,
        "median_width": round(float(np.median(widths)), 4) if widths else None,
        **{f"held_{name}": round(count / n, 4) if n else None for name, count in held.items()},
        "seconds": round(time.perf_counter() - begun, 1),
    }


def main() -> None:
    """Measure every setting."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--worlds", type=int, default=500)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--resamples", type=int, default=400)
    parser.add_argument("--only", default="", help="only settings with this in their name")
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.worlds)
    method = {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count(), "seeds": str(seeds)}
    for setting in (one for one in SETTINGS if options.only in one.name):
        print(json.dumps({**measure(setting, seeds, options.resamples), **method}))


if __name__ == "__main__":
    main()
