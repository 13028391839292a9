"""Measures how long a local Supabase project takes from nothing until its API answers, and until it is gone again.

    python benchmarks/local_supabase.py [--repeats 5]

From nothing: a new Postgres in an empty folder, roles, migrations, the API, the first answer over HTTP. That is what
every test run on Supabase waits for. Needs the packages that `make unit` installs. Prints one JSON line.
"""

import argparse
import json
import os
import platform
import statistics
import time

from spots_ml.local_supabase.stack import project_running

REQUIRED_START_S = 4.0


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser()
    options.add_argument("--repeats", type=int, default=5)
    repeats = options.parse_args().repeats
    _measure()
    measured = [_measure() for _ in range(repeats)]
    starts = [start for start, _, _ in measured]
    print(
        json.dumps(
            {
                "benchmark": "local_supabase",
                "start_s": round(statistics.median(starts), 2),
                "slowest_start_s": round(max(starts), 2),
                "required_start_s_at_most": REQUIRED_START_S,
                "stop_s": round(statistics.median(stop for _, stop, _ in measured), 2),
                "method": f"median of {repeats} whole starts and stops after one warm-up; wall time",
                "postgres": measured[0][2],
                "python": platform.python_version(),
                "machine": platform.machine(),
                "cpus": os.cpu_count(),
            }
        )
    )


def _measure() -> tuple[float, float, int]:
    started = time.perf_counter()
    with project_running() as project:
        answered = time.perf_counter()
        major = project.server.major
        asked_to_stop = time.perf_counter()
    return answered - started, time.perf_counter() - asked_to_stop, major


if __name__ == "__main__":
    main()
