"""Speed of the ONNX files: one row beside an empty graph, larger batches, cold load; the cost of certifying.

Run: `.venv/bin/python benchmarks/onnx_latency.py`. Prints one JSON line per result. Speed depends on the
shape of a network, so the weights are drawn at random; a path to a `model.onnx` measures that file instead.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch

from spots_ml.models.declared import ModelType, declared_types, model_spec
from spots_ml.release.certification.certify import certify, default_runtimes
from spots_ml.release.documents import machine
from spots_ml.release.latency.measuring import measure_latency
from spots_ml.release.latency.report import LatencyConfig, LatencyReport
from spots_ml.release.onnx.graph import build_onnx
from spots_ml.training.network import ScoringNetwork

CLIENT_PYTHON = Path(__file__).resolve().parents[1] / ".venv-client" / "bin" / "python"
VERSION, TRAINED_DIGEST = "v1.0-synthetic", "0" * 64
CONFIG = LatencyConfig(n_runs=20_000, n_blocks=100, n_cold_loads=10)
N_REPEATS = 7
ALLOWED_P99_RATIO = 3.0
CERTIFICATION_TARGET_S = 3.0


def random_network(model_type: ModelType) -> ScoringNetwork:
    """A network of the right shape with random weights."""
    torch.manual_seed(0)
    network = ScoringNetwork(model_type)
    network.shift.fill_(0.5)
    network.scale.fill_(3.5)
    return network


def latency_line(name: str, content: bytes) -> dict[str, object]:
    """Measure one file several times; the repeat with the median ratio speaks, all ratios are shown."""
    repeats = sorted((measure_latency(content, config=CONFIG) for _ in range(N_REPEATS)), key=_ratio)
    report = repeats[N_REPEATS // 2]
    one_row, empty = report.one_row, report.empty_graph
    return {
        "benchmark": "onnx_latency",
        "model": name,
        "p50_us": round(one_row.p50_us, 2),
        "p95_us": round(one_row.p95_us, 2),
        "p99_us": round(one_row.p99_us, 2),
        "empty_graph_p50_us": round(empty.p50_us, 2),
        "empty_graph_p99_us": round(empty.p99_us, 2),
        "p99_ratio": round(report.p99_ratio, 2),
        "p99_ratio_of_each_repeat": [round(repeat.p99_ratio, 2) for repeat in repeats],
        "p50_ratio": round(one_row.p50_us / empty.p50_us, 2),
        "target_p99_ratio": ALLOWED_P99_RATIO,
        "reached": report.p99_ratio <= ALLOWED_P99_RATIO,
        "rows_per_s": {entry.batch: round(entry.rows_per_s) for entry in report.throughput},
        "cold_load_p50_us": round(report.cold_load_p50_us, 1),
        "cold_load_max_us": round(report.cold_load_max_us, 1),
        "size_bytes": len(content),
        "method": {
            "batch": 1,
            "n_repeats": N_REPEATS,
            "n_runs_per_repeat": CONFIG.n_runs,
            "n_blocks": CONFIG.n_blocks,
            "n_warm_up_per_block": CONFIG.n_warm_up,
            "order": "model and empty graph in turns, same process",
            "n_threads": report.n_threads,
            "onnxruntime": report.onnxruntime_version,
            "machine": report.machine,
        },
    }


def _ratio(report: LatencyReport) -> float:
    return report.p99_ratio


def certification_line(model_type: ModelType, content: bytes, network: ScoringNetwork) -> dict[str, object]:
    """Time the certification of one model in both runtimes, wall clock."""
    golden = np.random.default_rng(0).random((256, model_spec(model_type).n_inputs), dtype=np.float32)
    start = time.perf_counter()
    certificate = certify(
        content,
        network,
        golden,
        model_type=model_type,
        version=VERSION,
        trained_digest=TRAINED_DIGEST,
        runtimes=default_runtimes(CLIENT_PYTHON),
    )
    wall_s = time.perf_counter() - start
    certificate.require()
    return {
        "benchmark": "certification",
        "model": model_type,
        "wall_s": round(wall_s, 2),
        "target_wall_s": CERTIFICATION_TARGET_S,
        "reached": wall_s <= CERTIFICATION_TARGET_S,
        "max_abs_difference": certificate.max_abs_difference,
        "method": {
            "n_random_rows_per_runtime": certificate.limits.n_random_rows,
            "n_golden_rows": len(golden),
            "runtimes": {report.name: report.onnxruntime_version for report in certificate.runtimes},
            "processes": "one per runtime, at the same time, started by this call",
            "n": 1,
            "machine": machine(),
        },
    }


def main() -> None:
    """Measure the files named on the command line, or both shapes of network."""
    if paths := sys.argv[1:]:
        for path in paths:
            print(json.dumps(latency_line(path, Path(path).read_bytes())), flush=True)
        return
    torch.set_num_threads(1)
    for model_type in declared_types():
        network = random_network(model_type)
        content = build_onnx(network, version=VERSION, trained_digest=TRAINED_DIGEST)
        print(json.dumps(latency_line(model_type, content)), flush=True)
        print(json.dumps(certification_line(model_type, content, network)), flush=True)


if __name__ == "__main__":
    main()
