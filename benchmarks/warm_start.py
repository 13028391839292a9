"""Compares a warm start with a training from the beginning: quality on agents that neither learned from, and time.

    python benchmarks/warm_start.py [--seeds 3]

A model learns from 10,000 generated rows; then as many rows of other agents arrive. Three ways to take them in: not at
all (the model that stands), a warm start with replay, and a training from the beginning on all rows. Prints one JSON
line per law. "Excess" is test MSE over the MSE of the law's conditional mean on the same rows, minus 1.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from training import rows_of

from spots_ml.interactions.generators.hybrid_law import HybridLaw
from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.interactions.learning.splits import TEST, TRAIN, VALIDATION, split_rows
from spots_ml.training.config import TrainingConfig
from spots_ml.training.fit import Fit, fit
from spots_ml.training.network import ScoringNetwork
from spots_ml.training.trained_model import predict
from spots_ml.training.warm.provenance import without_learned

N_ROWS = 10_000


def both(law: SeedLaw | HybridLaw, seed: int) -> tuple[LabelledRows, np.ndarray]:
    """Generate the rows of before and those that arrived; tell which are which."""
    streams = [law.generate(N_ROWS, seed=2 * seed + number) for number in range(2)]
    parts = [rows_of(stream) for stream in streams]
    shift = int(parts[0].agent.max()) + 1
    fields = vars(parts[0])
    joined = {name: np.concatenate([vars(part)[name] for part in parts]) for name in fields}
    joined["agent"] = np.concatenate([parts[0].agent, parts[1].agent + shift])
    return LabelledRows(**joined), np.arange(len(joined["agent"])) < parts[0].n_rows


def timed(work: Callable[[], Fit]) -> tuple[ScoringNetwork, float, int]:
    """Fit, and tell the seconds and the passes."""
    began = time.perf_counter()
    found = work()
    return found.network, time.perf_counter() - began, len(found.history)


def compared(law: SeedLaw | HybridLaw, seed: int) -> dict[str, float]:
    """One seed."""
    rows, old = both(law, seed)
    before, later = (TrainingConfig(), TrainingConfig(warm_start=True))
    first_split = split_rows(rows.agent[old], rows.scored_at[old], seed=seed)

    def fitted(train: np.ndarray, validation: np.ndarray, config: TrainingConfig, start: ScoringNetwork | None) -> Fit:
        parts = [(rows.features[chosen], rows.outcome_score[chosen]) for chosen in (train, validation)]
        return fit(parts[0], parts[1], config, model_type="calling_score", seed=seed, start=start)

    of_old = np.full(rows.n_rows, -9, np.int8)
    of_old[old] = first_split
    stands = fitted(of_old == TRAIN, of_old == VALIDATION, before, None).network
    learned = np.isin(rows.agent, rows.agent[np.isin(of_old, (TRAIN, VALIDATION))])
    split = without_learned(split_rows(rows.agent, rows.scored_at, seed=seed), learned)
    training, validating, test = (split == part for part in (TRAIN, VALIDATION, TEST))
    drawn = np.random.default_rng(seed).random(rows.n_rows) < later.replay_share
    warm, warm_s, warm_passes = timed(
        lambda: fitted(training & (~old | drawn), validating, later.after_warm_start, stands)
    )
    full, full_s, full_passes = timed(lambda: fitted(training, validating, before, None))
    best = float(np.mean((law.bayes_prediction(rows.features[test]) - rows.outcome_score[test]) ** 2))
    told: dict[str, float] = {}
    for name, network in (("stands", stands), ("warm", warm), ("full", full)):
        error = float(np.mean((predict(network, rows.features[test]) - rows.outcome_score[test]) ** 2))
        told[f"excess_{name}"] = error / best - 1.0
    return told | {"warm_s": warm_s, "full_s": full_s, "warm_passes": warm_passes, "full_passes": full_passes}


def main() -> None:
    """Compare both laws."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    n_seeds = parser.parse_args().seeds
    for name, law in (("seed", SeedLaw()), ("hybrid", HybridLaw())):
        found = [compared(law, seed) for seed in range(n_seeds)]
        means: dict[str, Any] = {key: round(statistics.fmean(run[key] for run in found), 4) for key in found[0]}
        print(json.dumps({"law": name, "n_seeds": n_seeds, **means}), flush=True)


if __name__ == "__main__":
    main()
