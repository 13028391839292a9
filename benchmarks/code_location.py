"""Measures how long loading the code location takes, against importing Dagster alone.

    python benchmarks/code_location.py [--repeats 15]

Whole processes in turn, after one warm-up; every process that loads the code location pays this. Prints one JSON line.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
REQUIRED_RATIO = 1.25


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser()
    options.add_argument("--repeats", type=int, default=15)
    repeats = options.parse_args().repeats
    for module in ("dagster", "spots_ml.definitions"):
        _seconds(module)
    pairs = [(_seconds("spots_ml.definitions"), _seconds("dagster")) for _ in range(repeats)]
    print(
        json.dumps(
            {
                "benchmark": "code_location",
                "ours_s": round(statistics.median(ours for ours, _ in pairs), 3),
                "dagster_s": round(statistics.median(alone for _, alone in pairs), 3),
                "ratio": round(statistics.median(ours / alone for ours, alone in pairs), 3),
                "required_ratio_at_most": REQUIRED_RATIO,
                "method": f"median of {repeats} alternating pairs of `python -c 'import ...'`; ratio pair by pair",
                "python": platform.python_version(),
                "machine": platform.machine(),
                "cpus": os.cpu_count(),
            }
        )
    )


def _seconds(module: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], cwd=PROJECT, check=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
