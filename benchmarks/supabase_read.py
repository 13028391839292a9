"""Measures how fast interactions are read in bulk, straight from Postgres and over the API. One JSON line per result.

    python benchmarks/supabase_read.py [--rows 400000] [--compared 100000] [--repeats 3]

The peer is the same read over the data API, page by page, in the same run. What one would write first for Postgres,
taking the documents apart in the statement, is measured beside it. Whatever concerns memory runs in a process of its
own.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
from _app_rows import insert_rows, project_and_calls, vacuum

from spots_ml.features.contract import DERIVED_FEATURES, FEATURES, RAW_FEATURES
from spots_ml.interactions.reading.record_layout import DERIVED_KEYS, FEATURE_GROUPS
from spots_ml.stores.read_bounds import ReadBounds
from spots_ml.stores.supabase.postgres.bulk_read import DirectReads
from spots_ml.stores.supabase.reading import read_stream
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.connection import SupabaseConnection
from spots_ml.stores.watermark import Watermark

KEY = "SPOTS_ML_BENCHMARK_KEY"
TOLD = "row_sequence, label_sequence, agent_id, opportunity_id, scored_at, outcome_type, outcome_score, outcome_at"


def main():
    """Fill a project, measure, and print every result."""
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=400_000)
    options.add_argument("--compared", type=int, default=100_000)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--child", nargs=3, metavar=("URL", "DSN", "ROWS"))
    arguments = options.parse_args()
    if arguments.child:
        url, dsn, n_rows = arguments.child
        with Calls(SupabaseConnection(url, os.environ[KEY]), random=np.random.default_rng(1)) as calls:
            n_read = stored(calls, DirectReads(dsn), int(n_rows))
        report("child", n_rows=n_read, peak_rss_mb=peak_rss_mb())
        return
    with project_and_calls() as (project, calls):
        insert_rows(project, 1, arguments.rows, features=True)
        vacuum(project)
        direct = DirectReads(project.dsn)
        report("read", **compared(calls, direct, arguments.compared, arguments.repeats))
        peaks = [peak(project, n_rows) for n_rows in (arguments.compared, arguments.rows)]
        report(
            "read_memory",
            n_rows=[arguments.compared, arguments.rows],
            peak_rss_mb=peaks,
            growth=round(peaks[1] / peaks[0], 2),
            required_growth=1.25,
            method="straight from Postgres; peak resident memory of a fresh process each that keeps no batch",
        )


def compared(calls, direct, n_rows, repeats):
    """Read the same rows in every way, in turns."""
    ways = {
        "postgres": lambda: stored(calls, direct, n_rows),
        "api": lambda: stored(calls, None, n_rows),
        "postgres_39_columns": lambda: streamed(direct, stored_columns(n_rows)),
        "postgres_39_columns_from_documents": lambda: streamed(direct, taken_apart(n_rows)),
    }
    seconds = {name: [] for name in ways}
    for run in range(repeats + 1):
        for name, read in ways.items():
            start = time.perf_counter()
            n_read = read()
            if n_read != n_rows:
                raise SystemExit(f"{name} read {n_read:,} of {n_rows:,} rows")
            if run:
                seconds[name].append(time.perf_counter() - start)
    rates = {name: round(n_rows / statistics.median(values)) for name, values in seconds.items()}
    return {
        "n_rows": n_rows,
        "n_features": len(FEATURES),
        "rows_per_s": rates,
        "required_rows_per_s": 100_000,
        "ratio": round(rates["postgres"] / rates["api"], 1),
        "required_ratio": 5.0,
        "method": f"median of {repeats} runs in turns after one warm-up, server on the same machine; postgres and api "
        "give columns of interactions, checked and counted, the derived features compared; the others Arrow alone",
    }


def stored(calls, direct, n_rows):
    """Read interactions as the store gives them; tell how many without a problem."""
    batches = read_stream(calls, direct, Watermark(n_rows, n_rows, "supabase"), ReadBounds()).batches
    return sum(batch["problems"].null_count for batch in batches)


def streamed(direct, statement):
    """Run a statement; tell how many rows it gives."""
    return sum(batch.num_rows for batch in direct.read("measure", "interactions", statement))


def stored_columns(n_rows):
    """The 39 features as columns, from what the database keeps of each row."""
    features = ", ".join(f'features[{index}] as "{name}"' for index, name in enumerate(FEATURES, 1))
    return f"select {TOLD}, {features} from public.interactions where row_sequence <= {n_rows} order by row_sequence"  # noqa: S608 - names and a number of this module


def taken_apart(n_rows):
    """The same out of the four documents."""
    places = {column: (group, key) for group, keys in FEATURE_GROUPS.items() for key, column in keys.items()}
    places |= {key: (group, key) for group, keys in DERIVED_KEYS.items() for key in keys}
    assert set(places) == {*RAW_FEATURES, *DERIVED_FEATURES}
    features = ", ".join(f"({group} ->> '{key}')::float8 as \"{name}\"" for name, (group, key) in places.items())
    told = TOLD.replace("agent_id", "data.agent_id").replace("scored_at", 'data."timestamp"')
    return (
        f"select {told.replace('outcome_', 'known.outcome_')}, {features} "  # noqa: S608 - names and a number
        "from public.training_arrivals as known join public.calling_score_training_data as data using (id) "
        f"where row_sequence <= {n_rows} order by row_sequence"
    )


def peak(project, n_rows):
    """The peak memory of a process that reads so many rows, in MB."""
    command = [sys.executable, __file__, "--child", project.url, project.dsn, str(n_rows)]
    environment = {**os.environ, KEY: project.keys.secret}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    answer = json.loads(done.stdout)
    if answer["n_rows"] != n_rows:
        raise SystemExit(f"a process read {answer['n_rows']:,} of {n_rows:,} rows")
    return answer["peak_rss_mb"]


def peak_rss_mb():
    """Peak resident memory of this process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // 1_000_000


def report(name, **values):
    """Print one result."""
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cpus": os.cpu_count()}
    print(json.dumps({"benchmark": f"supabase_read/{name}", **values, **machine}), flush=True)


if __name__ == "__main__":
    main()
