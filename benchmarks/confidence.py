"""Measures what weights by confidence cost where the model knows its rows, and what they do where it does not.

    python benchmarks/confidence.py [--seed-export FILE] [--hybrid-export FILE]
        [--runs 5] [--first-seed 0] [--rows 10000]

Prints one JSON line per result. Every run trains the calling-score model with the default recipe on another data set of
the law (an export: another split of it), by agent, and blends it with the app's formula: once with the fixed weight,
once with the weight by confidence. Inside: squared error against the outcomes of the test rows. Outside: squared error
against the law's conditional mean for rows that training never saw the like of. "Same world" means that the law of
training holds there, too; "their world", that another law does. Where inputs are unknown, the model sees what the app
feeds, and the truth is that of the full row.
"""

import argparse
import json
import os
import platform
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from training import rows_of

from spots_ml.features.contract import FEATURES, RAW_FEATURES, UNKNOWN_VALUE
from spots_ml.features.derived import derive
from spots_ml.interactions.generators.hybrid_law import HybridLaw
from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.interactions.learning.splits import TEST, TRAIN, VALIDATION, split_rows
from spots_ml.interactions.reading.export import read_export
from spots_ml.scoring.confidence import ConfidenceProfile
from spots_ml.scoring.formula import formula_score
from spots_ml.training.confidence import fit_confidence
from spots_ml.training.config import TrainingConfig
from spots_ml.training.model import TrainedModel, train_model

LIMITS = (0.1, 0.3)
N_RESAMPLES = 2_000
N_STRANGE_ROWS = 3_000
REQUIRED_UPPER = 0.005
RAW = [FEATURES.index(name) for name in RAW_FEATURES]
Law = SeedLaw | HybridLaw


@dataclass(frozen=True)
class Run:
    """One trained model with what it is asked."""

    model: TrainedModel
    profile: ConfidenceProfile
    rows: LabelledRows
    split: np.ndarray
    agents: np.ndarray

    @property
    def test(self) -> LabelledRows:
        """Rows that nothing was fitted on."""
        return self.rows.take(self.split == TEST)


def runs_of(law: Law, export: Path | None, n_rows: int, seeds: range) -> list[Run]:
    """Train on new data sets, or on new splits of an export, whose agents stay the same people over the runs."""
    exported = rows_of(read_export(export)) if export else None
    runs = []
    for seed in seeds:
        rows = exported if exported is not None else rows_of(law.generate(n_rows, seed=seed))
        split = split_rows(rows.agent, rows.scored_at, seed=seed)
        config = TrainingConfig(n_resamples=20)
        model = train_model(rows, split, "calling_score", config, seed=seed, dataset_digest="", kind="synthetic")
        if model.document.confidence is None:
            raise SystemExit(f"{np.sum(split == VALIDATION)} validation rows are too few for a confidence profile")
        agents = rows.agent if exported is not None else rows.agent + seed * (rows.agent.max() + 1)
        runs.append(Run(model, model.document.confidence, rows, split, agents[split == TEST]))
    return runs


def inside(runs: list[Run], limit: float) -> dict[str, object]:
    """Compare both weights on the test rows, with a paired bootstrap over agents."""
    tests = [run.test for run in runs]
    fixed, followed, formula, neural = [], [], [], []
    for run, test in zip(runs, tests, strict=True):
        f, n = formula_score(test.features).score, run.model.predict(test.features).astype(np.float64)
        weight = run.profile.weights(test.features, limit)
        for kept, answer in ((fixed, f + limit * (n - f)), (followed, f + weight * (n - f)), (formula, f), (neural, n)):
            kept.append((answer - test.outcome_score) ** 2)
    agent = np.unique(np.concatenate([run.agents for run in runs]), return_inverse=True)[1]
    error, change = np.concatenate(fixed), np.concatenate(followed) - np.concatenate(fixed)
    per_agent = np.stack([np.bincount(agent, change), np.bincount(agent, error)])
    n_agents = per_agent.shape[1]
    generator = np.random.default_rng(0)
    drawn = (generator.multinomial(n_agents, np.full(n_agents, 1 / n_agents)) for _ in range(N_RESAMPLES))
    totals = np.array([per_agent @ picks for picks in drawn])
    low, high = np.quantile(totals[:, 0] / totals[:, 1], [0.025, 0.975])
    weights = [run.profile.weights(test.features, limit) for run, test in zip(runs, tests, strict=True)]
    return {
        "limit": limit,
        "n_test_rows": len(error),
        "n_agents": n_agents,
        "mse_formula": _short(np.concatenate(formula).mean()),
        "mse_neural": _short(np.concatenate(neural).mean()),
        "mse_fixed_weight": _short(error.mean()),
        "mse_by_confidence": _short(np.concatenate(followed).mean()),
        "relative_difference": _short(change.sum() / error.sum()),
        "relative_difference_95": [_short(low), _short(high)],
        "required_upper": REQUIRED_UPPER,
        "passed": bool(high <= REQUIRED_UPPER),
        "share_at_weight_0": _short(np.mean(np.concatenate(weights) == 0.0)),
        "share_at_weight_0_by_run": [_short(np.mean(one == 0.0)) for one in weights],
        "share_at_limit": _short(np.mean(np.concatenate(weights) == limit)),
    }


def widths(runs: list[Run]) -> dict[str, object]:
    """Check the half widths on the test rows, from the innermost shell to the outermost."""
    by_shell: dict[int, list[np.ndarray]] = {}
    all_widths: dict[int, list[float]] = {}
    for run in runs:
        test = run.test
        miss = np.abs(test.outcome_score - run.model.predict(test.features))
        shells, width = run.profile.steps_of(test.features), run.profile.half_widths(test.features)
        for shell in range(len(run.profile.steps)):
            by_shell.setdefault(shell, []).append((miss <= width)[shells == shell])
            all_widths.setdefault(shell, []).append(run.profile.steps[shell].half_width or np.nan)
    return {
        "coverage_wanted": 0.9,
        "coverage_by_shell": [_short(np.concatenate(hits).mean()) for hits in by_shell.values()],
        "mean_half_width_by_shell": [_short(np.nanmean(found)) for found in all_widths.values()],
        "n_test_rows_by_shell": [sum(map(len, hits)) for hits in by_shell.values()],
    }


def strange_rows(test: LabelledRows, law: Law, other: Law, strangers: np.ndarray) -> dict[str, tuple[np.ndarray, ...]]:
    """Make rows unlike the training's: by name, what the model is fed and the truth."""
    generator = np.random.default_rng(0)
    raw = test.features[:, RAW].astype(np.float64)
    n_raw = len(RAW_FEATURES)
    agent, opportunity, surroundings = slice(0, 12), slice(12, 24), slice(24, n_raw)
    poor, mirrored, extreme = raw.copy(), raw.copy(), raw.copy()
    poor[:, surroundings] *= 0.3
    mirrored[:, opportunity] = 1.0 - raw[:, opportunity]
    extreme[:, agent] = raw[:, agent] > 0.5
    extreme[:, opportunity] = np.clip(extreme[:, agent] + raw[:, opportunity] - raw[:, agent], 0.0, 1.0)
    made = {
        "strangers, same world": strangers,
        "corners, same world": derive(generator.integers(0, 2, (N_STRANGE_ROWS, n_raw)).astype(np.float64)),
        "anywhere, same world": derive(generator.random((N_STRANGE_ROWS, n_raw))),
        "poor context and timing, same world": derive(poor),
        "opposite opportunities, same world": derive(mirrored),
        "extreme agents, same world": derive(extreme),
    }
    fed = {name: (features, law.bayes_prediction(features)) for name, features in made.items()}
    fed["strangers, their world"] = (strangers, other.bayes_prediction(strangers))
    fed["anywhere, their world"] = (made["anywhere, same world"], other.bayes_prediction(made["anywhere, same world"]))
    truth = law.bayes_prediction(test.features)
    for name, part in (("agent", agent), ("opportunity", opportunity), ("context and timing", surroundings)):
        hidden = raw.copy()
        hidden[:, part] = np.nan
        fed[f"{name} unknown"] = (np.nan_to_num(derive(hidden), nan=np.float32(UNKNOWN_VALUE)), truth)
    return fed


def outside(runs: list[Run], law: Law, other: Law, n_rows: int) -> list[dict[str, object]]:
    """Compare both weights, the formula and the model itself on strange rows; means over the runs."""
    measured: dict[str, list[list[float]]] = {}
    strangers = rows_of(other.generate(n_rows, seed=99)).features[:N_STRANGE_ROWS]
    for run in runs:
        for name, (features, truth) in strange_rows(run.test, law, other, strangers).items():
            f, n = formula_score(features).score, run.model.predict(features).astype(np.float64)
            answers = [f, n]
            for limit in LIMITS:
                answers += [f + limit * (n - f), f + run.profile.weights(features, limit) * (n - f)]
            outer = np.mean(run.profile.weights(features, LIMITS[0]) == 0.0)
            errors = [float(np.mean((answer - truth) ** 2)) for answer in answers]
            measured.setdefault(name, []).append([float(outer), *errors])
    results = []
    for name, numbers in measured.items():
        share, formula, neural, *blends = np.mean(numbers, axis=0)
        result = {"rows": name, "share_at_weight_0": _short(share)}
        result |= {"mse_formula": _short(formula), "mse_neural": _short(neural)}
        for position, limit in enumerate(LIMITS):
            fixed, followed = blends[2 * position : 2 * position + 2]
            result |= {f"mse_fixed_{limit}": _short(fixed), f"mse_by_confidence_{limit}": _short(followed)}
        results.append(result)
    return results


def speed(run: Run) -> dict[str, object]:
    """Time fitting and weighing, one thread."""
    features = np.random.default_rng(0).random((1_000_000, len(FEATURES)), dtype=np.float32)
    train, validation = (run.rows.take(run.split == part) for part in (TRAIN, VALIDATION))
    formula, neural = formula_score(validation.features).score, run.model.predict(validation.features)

    def fit() -> object:
        return fit_confidence(
            train.features,
            validation.features,
            formula=formula,
            neural=neural,
            outcome=validation.outcome_score,
            agent=validation.agent,
        )

    one = features[:1]
    return {
        "fit_ms": round(1e3 * _median(fit, 20), 2),
        "n_training_rows": train.n_rows,
        "n_validation_rows": validation.n_rows,
        "weights_rows_per_s": round(1e6 / _median(lambda: run.profile.weights(features, 0.3), 7)),
        "weights_one_row_us": round(1e6 * _median(lambda: run.profile.weights(one, 0.3), 1_000), 1),
        "profile_bytes": len(run.profile.model_dump_json()),
        "method": "wall time, median after one warm-up; a million uniform rows at once, and one row at a time",
        "omp_threads": os.environ.get("OMP_NUM_THREADS", "default"),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
    }


def _median(work: object, n_repeats: int) -> float:
    work()
    seconds = []
    for _ in range(n_repeats):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seed-export", type=Path)
    options.add_argument("--hybrid-export", type=Path)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--first-seed", type=int, default=0)
    options.add_argument("--rows", type=int, default=10_000)
    arguments = options.parse_args()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.runs)
    method = (
        f"{arguments.runs} runs, seeds from {arguments.first_seed} on, default recipe, split by agent; relative "
        "difference: (by confidence - fixed) / fixed in test MSE, with the 95 % interval of "
        f"{N_RESAMPLES:,} paired resamples of agents, each whole over all runs"
    )
    sources = [("seed", None, SeedLaw(), HybridLaw()), ("hybrid", None, HybridLaw(), SeedLaw())]
    sources += [("seed", arguments.seed_export, SeedLaw(), HybridLaw())] if arguments.seed_export else []
    sources += [("hybrid", arguments.hybrid_export, HybridLaw(), SeedLaw())] if arguments.hybrid_export else []
    for name, export, law, other in sources:
        runs = runs_of(law, export, arguments.rows, seeds)
        source = {"source": f"{name} {'export' if export else 'law'}", "n_rows": runs[0].rows.n_rows}
        for limit in LIMITS:
            print(json.dumps({"name": "inside", **source, **inside(runs, limit), "method": method}))
        print(json.dumps({"name": "half_widths", **source, **widths(runs)}))
        for result in outside(runs, law, other, arguments.rows):
            print(json.dumps({"name": "outside", **source, **result}))
    print(json.dumps({"name": "speed", **speed(runs[0])}))


if __name__ == "__main__":
    main()
