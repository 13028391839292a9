"""Measures how near the calling-score model comes to the best possible prediction, and how fast it learns.

    python benchmarks/training.py [--seed-export FILE] [--hybrid-export FILE] [--seeds 5]

Prints one JSON line per result. Without an export its law generates 10,000 rows. The split is by agent (`split_rows`),
the recipe is the default one for both. "Excess" is test MSE over the MSE of the law's conditional mean on the same
rows, minus 1. The peer of the throughput is a plain loop: the same layers, `DataLoader` of batch 32, Adam 0.001.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from spots_ml.interactions.generators.hybrid_law import HybridLaw
from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.interactions.keeping.snapshot import write_snapshot
from spots_ml.interactions.learning.dataset import LabelledRows, labelled_rows
from spots_ml.interactions.learning.splits import TEST, TRAIN, VALIDATION, split_rows
from spots_ml.interactions.learning.validation import build_dataset, load_dataset
from spots_ml.interactions.reading.export import read_export
from spots_ml.interactions.source import InteractionStream
from spots_ml.training.baselines import baseline_predictions
from spots_ml.training.config import TrainingConfig
from spots_ml.training.fit import Fit, fit
from spots_ml.training.trained_model import predict

N_GENERATED_ROWS = 10_000
N_PLAIN_EPOCHS = 3
EXCESS_LIMITS = {"seed": 0.06, "hybrid": 0.25}


def rows_of(stream: InteractionStream) -> LabelledRows:
    """Take interactions through snapshot and validation, as the main job does."""
    with tempfile.TemporaryDirectory() as directory:
        snapshots, datasets = Path(directory, "snapshots"), Path(directory, "datasets")
        snapshot = write_snapshot(stream, snapshots)
        report = build_dataset(snapshots, snapshot.digest, datasets, now=datetime.now(UTC))
        return labelled_rows(load_dataset(datasets, report.digest)[1])


def fit_part(rows: LabelledRows, split: np.ndarray, config: TrainingConfig, seed: int) -> Fit:
    """Fit the calling-score network on the training part."""
    train, validation = (rows.take(split == part) for part in (TRAIN, VALIDATION))
    return fit(
        (train.features, train.outcome_score),
        (validation.features, validation.outcome_score),
        config,
        model_type="calling_score",
        seed=seed,
    )


def excesses(rows: LabelledRows, law: SeedLaw | HybridLaw, seed: int) -> dict[str, float]:
    """Measure every predictor's excess error over the best possible one, for one split."""
    split = split_rows(rows.agent, rows.scored_at, seed=seed)
    test = rows.take(split == TEST)
    network = fit_part(rows, split, TrainingConfig(), seed).network
    predictions = baseline_predictions(rows, split == TRAIN, test, "calling_score", seed=seed)
    predictions["network"] = predict(network, test.features)
    best = law.bayes_prediction(test.features)
    floor = np.mean((best - test.outcome_score) ** 2)
    numbers = {name: np.mean((found - test.outcome_score) ** 2) / floor - 1 for name, found in predictions.items()}
    numbers["network_to_bayes"] = np.mean((predictions["network"] - best) ** 2) / floor
    return {name: float(value) for name, value in numbers.items()}


def plain_samples_per_s(rows: LabelledRows, split: np.ndarray) -> float:
    """Train the plain way for a few epochs."""
    inputs, targets = rows.features[split == TRAIN], rows.outcome_score[split == TRAIN, None]
    scaled = torch.from_numpy((inputs - inputs.mean(0)) / (inputs.std(0) + 1e-8))
    dataset = torch.utils.data.TensorDataset(scaled, torch.from_numpy(targets))
    loader = torch.utils.data.DataLoader(dataset, batch_size=32, shuffle=True)
    layers = [torch.nn.Linear(39, 128), torch.nn.ReLU(), torch.nn.Linear(128, 64), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers, torch.nn.Linear(64, 1), torch.nn.Sigmoid())
    optimiser, loss_of = torch.optim.Adam(network.parameters(), lr=0.001), torch.nn.MSELoss()
    begin = time.perf_counter()
    for _ in range(N_PLAIN_EPOCHS):
        for batch, wanted in loader:
            optimiser.zero_grad()
            loss_of(network(batch), wanted).backward()
            optimiser.step()
    return len(scaled) * N_PLAIN_EPOCHS / (time.perf_counter() - begin)


def fast_samples_per_s(rows: LabelledRows, split: np.ndarray) -> float:
    """Train with `fit`, whole: with penalty, weight average and validation after each epoch."""
    begin = time.perf_counter()
    fitted = fit_part(rows, split, TrainingConfig(), 0)
    return int(np.sum(split == TRAIN)) * len(fitted.history) / (time.perf_counter() - begin)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed-export", type=Path)
    parser.add_argument("--hybrid-export", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    machine = {"machine": platform.machine(), "n_cpus": os.cpu_count(), "torch": torch.__version__}
    rows = None
    for name, path, law in (
        ("seed", arguments.seed_export, SeedLaw()),
        ("hybrid", arguments.hybrid_export, HybridLaw()),
    ):
        stream = read_export(path) if path else law.generate(N_GENERATED_ROWS, seed=0)
        rows = rows_of(stream)
        measured = [excesses(rows, law, seed) for seed in range(arguments.seeds)]
        result = {
            "name": f"excess_{name}",
            "source": "export" if path else "generated",
            "n_rows": rows.n_rows,
            "n_seeds": arguments.seeds,
            "excess_mean": {key: round(statistics.fmean(run[key] for run in measured), 4) for key in measured[0]},
            "excess_network_by_seed": [round(run["network"], 4) for run in measured],
            "limit": EXCESS_LIMITS[name],
            "method": "MSE / MSE of the law's conditional mean - 1, same test rows, split by agent, default recipe",
        }
        print(json.dumps(result))
    assert rows is not None
    torch.set_num_threads(1)
    split = split_rows(rows.agent, rows.scored_at, seed=0)
    ratios, speeds = [], []
    for _ in range(arguments.seeds):
        plain, fast = plain_samples_per_s(rows, split), fast_samples_per_s(rows, split)
        ratios.append(fast / plain)
        speeds.append((fast, plain))
    result = {
        "name": "throughput",
        "samples_per_s": round(statistics.median(fast for fast, _ in speeds)),
        "plain_samples_per_s": round(statistics.median(plain for _, plain in speeds)),
        "ratio_median": round(statistics.median(ratios), 2),
        "limit_ratio": 8,
        "n_repeats": arguments.seeds,
        "method": "wall time, both with 1 thread, alternating; training rows x epochs / seconds of the whole call",
        **machine,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
