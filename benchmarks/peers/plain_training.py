"""The peer of the main job: one plain script that trains and exports one calling-score model the earlier way.

Reads the export with `json`, loops over the records, standardises outside the model, shuffles rows, trains with a
`DataLoader` at batch 32 until ten epochs brought nothing, and exports the last epoch with `torch.onnx.export`.
No baselines, no certification, no second model. Prints one JSON line.

    python benchmarks/peers/plain_training.py EXPORT.json.gz OUT.onnx
"""

import gzip
import json
import sys
import time
from pathlib import Path

started = time.perf_counter()

import numpy as np  # noqa: E402 - the clock starts before the imports
import torch  # noqa: E402

GROUPS = {
    "user_vibe_dimensions": 12,
    "spot_vibe_dimensions": 12,
    "context_features": 10,
    "timing_features": 5,
}


def load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read an export into `(n_rows, n_inputs)` inputs (39, or 34 without placeholders) and labels."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path) as stream:
        records = json.load(stream)["training_data"]
    rows = [[value for group in GROUPS for value in record[group].values()] for record in records]
    return np.array(rows, np.float32), np.array([record["outcome_score"] for record in records], np.float32)


def train(inputs: np.ndarray, labels: np.ndarray) -> tuple[torch.nn.Module, int, float]:
    """Train until ten epochs brought nothing; returns the network, samples seen and seconds in the loop."""
    torch.manual_seed(0)
    order = np.random.default_rng(42).permutation(len(inputs))
    cut, end = int(0.7 * len(order)), int(0.85 * len(order))
    mean, std = inputs[order[:cut]].mean(0), inputs[order[:cut]].std(0) + 1e-8
    scaled, target = torch.tensor((inputs - mean) / std), torch.tensor(labels)[:, None]
    parts = [torch.utils.data.TensorDataset(scaled[rows], target[rows]) for rows in (order[:cut], order[cut:end])]
    train_loader = torch.utils.data.DataLoader(parts[0], batch_size=32, shuffle=True)
    validation_loader = torch.utils.data.DataLoader(parts[1], batch_size=32)
    network = torch.nn.Sequential(
        torch.nn.Linear(inputs.shape[1], 128), torch.nn.ReLU(),
        torch.nn.Linear(128, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1), torch.nn.Sigmoid(),
    )  # fmt: skip
    optimiser, loss_of = torch.optim.Adam(network.parameters(), lr=0.001), torch.nn.MSELoss()
    best, waited, samples, begin = float("inf"), 0, 0, time.perf_counter()
    while waited < 10:
        network.train()
        for batch, wanted in train_loader:
            optimiser.zero_grad()
            loss_of(network(batch), wanted).backward()
            optimiser.step()
            samples += len(batch)
        network.eval()
        with torch.no_grad():
            loss = np.mean([loss_of(network(batch), wanted).item() for batch, wanted in validation_loader])
        best, waited = (loss, 0) if loss < best else (best, waited + 1)
    return network, samples, time.perf_counter() - begin


def main() -> None:
    """Read, train, export, report."""
    source, target = map(Path, sys.argv[1:3])
    inputs, labels = load(source)
    network, samples, seconds = train(inputs, labels)
    torch.onnx.export(
        network, (torch.zeros(1, inputs.shape[1]),), str(target), input_names=["input"], output_names=["output"]
    )
    print(
        json.dumps(
            {
                "wall_s": round(time.perf_counter() - started, 3),
                "training_s": round(seconds, 3),
                "training_samples_per_s": round(samples / seconds),
            }
        )
    )


if __name__ == "__main__":
    main()
