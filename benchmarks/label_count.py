"""Measures how long it takes to count the labels that arrived after a watermark, in stores of five million rows.

    python benchmarks/label_count.py [--rows 5000000] [--new 10000] [--runs 50]

Prints the plans, then one JSON line per result. The rows hold no features, so that they are made in minutes: the count
reads an index alone, whatever the rows hold. The newest rows are too new for any vacuum, as they are when it matters.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

from _app_rows import insert_rows, project_and_calls, vacuum

from spots_ml.local_supabase.postgres import ADMIN
from spots_ml.stores.embedded.database import Database
from spots_ml.stores.embedded.interaction_sql import COUNT_LABELS
from spots_ml.stores.embedded.store import embedded_store
from spots_ml.stores.supabase.store import supabase_store
from spots_ml.stores.watermark import Watermark

REQUIRED_MS = 50.0
EMBEDDED_ROWS = """
WITH RECURSIVE numbers (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < :rows)
INSERT INTO interactions (
    identity, source_kind, agent_id, opportunity_id, scored_at, features, formula_score, is_called, outcome_type,
    outcome_score, outcome_at, label_sequence, outcome_sequence
)
SELECT CAST(printf('%016d', n) AS BLOB), 'real', 'agent ' || n % 10007, 'spot ' || n, n, zeroblob(272), 0.5, 1,
    'positive', 0.9, n, n, n
FROM numbers
"""


def main():
    """Fill both kinds of stores, one after the other, and count."""
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=5_000_000)
    options.add_argument("--new", type=int, default=10_000)
    options.add_argument("--runs", type=int, default=50)
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        embedded(Path(folder) / "store.sqlite", arguments)
    supabase(arguments)


def embedded(path, arguments):
    """Count in SQLite."""
    store, database = embedded_store(path), Database(path)
    with database.writing() as connection:
        connection.execute(EMBEDDED_ROWS, {"rows": arguments.rows})
        connection.execute("UPDATE counters SET value = ?", (arguments.rows,))
    with database.reading() as connection:
        query = f"EXPLAIN QUERY PLAN {COUNT_LABELS}"
        plan = connection.execute(query, {"labels": arguments.rows - arguments.new}).fetchall()
    show("embedded", (row["detail"] for row in plan))
    measure("embedded", store, "embedded", arguments)


def supabase(arguments):
    """Count in Postgres, over the API."""
    n_old = arguments.rows - arguments.new
    with project_and_calls() as (project, calls):
        insert_rows(project, 1, n_old, features=False)
        vacuum(project)
        insert_rows(project, n_old + 1, arguments.rows, features=False)
        with project.server.connect(project.database, ADMIN) as connection:
            query = f"select count(*) from public.training_arrivals where label_sequence > {n_old}"  # noqa: S608 - a number of this module
            plan = connection.execute(f"explain (analyze, buffers) {query}").fetchall()
        show("supabase", (row[0] for row in plan))
        measure("supabase", supabase_store(calls), "supabase", arguments)


def measure(name, store, kind, arguments):
    """Count what is new, and everything, and report."""
    known = str(Watermark(arguments.rows - arguments.new, arguments.rows - arguments.new, kind))
    new_ms = timed(lambda: store.interactions.count_labels_after(known), arguments.new, arguments.runs)
    all_ms = timed(lambda: store.interactions.count_labels_after(None), arguments.rows, 3)
    result = {
        "benchmark": f"label_count/{name}",
        "n_rows": arguments.rows,
        "n_new": arguments.new,
        "p50_ms": round(statistics.median(new_ms), 2),
        "max_ms": round(max(new_ms), 2),
        "required_ms": REQUIRED_MS,
        "all_p50_ms": round(statistics.median(all_ms)),
        "n_runs": arguments.runs,
        "method": "count_labels_after through the store, after one warm-up; "
        + ("over HTTP, server on the same machine" if kind == "supabase" else "a new connection each"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
    }
    print(json.dumps(result), flush=True)


def timed(count, expected, runs):
    """Time some counts, in ms each; one that is wrong ends the program."""
    times_ms = []
    for run in range(runs + 1):
        start = time.perf_counter()
        found = count()
        if found != expected:
            raise SystemExit(f"{found:,} labels were counted; expected {expected:,}")
        if run:
            times_ms.append((time.perf_counter() - start) * 1e3)
    return times_ms


def show(name, lines):
    """Print a plan where it does not mix with the results."""
    print(f"plan of {name}:", *lines, sep="\n    ", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
