"""Measures how much memory training and evaluation take. One JSON line per model.

    python benchmarks/training_memory.py [--rows 1000000] [--epochs 2] [--rows-per-agent 10]

A validated dataset is generated once. Each model is then trained from it in a process of its own, as the main job does:
load, split, fit, baselines, evaluation, confidence. The peak is that of the whole process, Python, torch and
scikit-learn included; `after_mb` says how high it stood when each part was done.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

LIMIT_MB = 1_500
MODELS = ("calling_score", "outcome")


def prepare(datasets: Path, n_rows: int, rows_per_agent: float) -> str:
    """Generate and validate a dataset; its digest."""
    from spots_ml.interactions.generators.seed_law import SeedLaw
    from spots_ml.interactions.keeping.snapshot import write_snapshot
    from spots_ml.interactions.learning.validation import build_dataset

    snapshots = datasets.parent / "snapshots"
    snapshot = write_snapshot(SeedLaw(rows_per_agent=rows_per_agent).generate(n_rows, seed=0), snapshots)
    return build_dataset(snapshots, snapshot.digest, datasets, now=datetime.now(UTC)).digest


def train(datasets: Path, digest: str, model_type: str, n_epochs: int) -> dict[str, object]:
    """Train one model and note the peak after each part."""
    from spots_ml.interactions.learning.splits import split_rows
    from spots_ml.interactions.learning.validation import load_labelled_rows
    from spots_ml.training.config import TrainingConfig
    from spots_ml.training.model import train_model

    after, begin = {"imports": peak_mb()}, time.perf_counter()
    _, rows = load_labelled_rows(datasets, digest)
    after["load"] = peak_mb()
    split = split_rows(rows.agent, rows.scored_at, seed=0)
    after["split"] = peak_mb()

    def note(epoch: object) -> None:
        after["epochs"] = peak_mb()

    model = train_model(
        rows,
        split,
        model_type,
        TrainingConfig(max_epochs=n_epochs),
        seed=0,
        dataset_digest=digest,
        kind="synthetic",
        on_epoch=note,
    )
    return {
        "peak_mb": peak_mb(),
        "after_mb": after,
        "seconds": round(time.perf_counter() - begin, 1),
        "n_rows": rows.n_rows,
        "n_test_agents": model.evaluation.n_agents,
    }


def peak_mb() -> int:
    """Largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // 1_000_000


def in_own_process(*arguments: str) -> str:
    """Run this script as a worker; the last line it prints."""
    command = [sys.executable, __file__, "--worker", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()[-1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--epochs", type=int, default=2, help="the peak does not depend on them")
    parser.add_argument("--rows-per-agent", type=float, default=10.0)
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        task, folder, *rest = arguments.worker
        if task == "prepare":
            print(prepare(Path(folder), int(rest[0]), float(rest[1])))
        else:
            print(json.dumps(train(Path(folder), rest[0], rest[1], int(rest[2]))))
        return
    with tempfile.TemporaryDirectory() as folder:
        datasets = str(Path(folder, "datasets"))
        digest = in_own_process("prepare", datasets, str(arguments.rows), str(arguments.rows_per_agent))
        for model_type in MODELS:
            measured = json.loads(in_own_process("train", datasets, digest, model_type, str(arguments.epochs)))
            result = {
                "name": "training_memory",
                "model_type": model_type,
                **measured,
                "n_epochs": arguments.epochs,
                "limit_mb": LIMIT_MB,
                "method": "ru_maxrss of a process that loads, splits, trains and evaluates; seed law, one run",
            }
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
