"""How fast the embedded store takes interactions in, gives them back and counts labels. One JSON line per result."""

import argparse
import contextlib
import json
import multiprocessing
import platform
import resource
import sqlite3
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.cli.options import utc_now
from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.requests.of_day import DayCount, interactions_as_requests, of_day
from spots_ml.stores.embedded.store import embedded_store

_COUNT_RUNS = 200
_READ_RUNS = 7
_AGENTS = 500


def main() -> None:
    """Measure once, in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    n_rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        store = embedded_store(Path(folder) / "store.sqlite")
        law = SeedLaw()

        def take_in():
            store.interactions.import_interactions(law.generate(n_rows, seed=1), now=utc_now())

        for name in ("import_new", "import_unchanged"):
            with others_waiting(Path(folder) / "store.sqlite") as waits:
                timed(name, n_rows, take_in)
            report(
                f"{name}_holding_others_up",
                n_rows=n_rows,
                **waits,
                method="another process asks for the write lock every 20 ms meanwhile",
            )
        watermark = store.interactions.label_watermark()
        store.interactions.import_interactions(law.generate(1000, seed=2), now=utc_now())
        timed(
            "read",
            n_rows,
            lambda: sum(batch.num_rows for batch in store.interactions.read_interactions(watermark).batches),
        )
        bounded(store, watermark, n_rows)
        times_us = []
        for _ in range(_COUNT_RUNS):
            start = time.perf_counter()
            n_new = store.interactions.count_labels_after(watermark)
            times_us.append((time.perf_counter() - start) * 1e6)
        report(
            "count_new_labels",
            n_new=n_new,
            n_in_store=store.interactions.count_labels_after(None),
            p50_us=round(statistics.median(times_us), 1),
            max_us=round(max(times_us), 1),
            n_runs=_COUNT_RUNS,
            method="one indexed query on a new connection each",
        )


@contextlib.contextmanager
def others_waiting(path):
    """Measure, in another process, how long the write lock of a store is not to be had; filled in at the end."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=ask_for_lock, args=(path, theirs))
    process.start()
    waits = {}
    yield waits
    ours.send("done")
    waits |= ours.recv()
    process.join()


def ask_for_lock(path, pipe):
    """Take the write lock and give it back at once, again and again."""
    connection = sqlite3.connect(path, timeout=600, isolation_level=None)
    longest = total = 0.0
    while not pipe.poll(0.02):
        start = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        waited = time.perf_counter() - start
        connection.execute("ROLLBACK")
        longest, total = max(longest, waited), total + waited
    connection.close()
    pipe.send({"longest_wait_s": round(longest, 2), "all_waits_s": round(total, 2)})


def bounded(store, watermark, n_rows):
    """Read a day's requests and some agents' interactions, and the same by reading everything and filtering."""
    first = next(iter(store.interactions.read_interactions(watermark).batches))
    middle = sorted(first["scored_at"].to_pylist())[first.num_rows // 2]
    since = middle.replace(hour=0, minute=0, second=0, microsecond=0)
    until = since + timedelta(days=1)
    agents = pc.unique(first["agent_id"])[:_AGENTS].to_pylist()

    def day(**bounds):
        batches = interactions_as_requests(store.interactions.read_interactions(watermark, **bounds).batches)
        return sum(batch.num_rows for batch in of_day(batches, since, until, DayCount(), undated=False))

    def of_agents(**bounds):
        batches = store.interactions.read_interactions(watermark, **bounds).batches
        asked = pa.array(agents)
        return sum(batch.filter(pc.is_in(batch["agent_id"], asked)).num_rows for batch in batches)

    for name, read, bounds in (
        ("read_day", day, {"since": since, "until": until}),
        ("read_agents", of_agents, {"agents": agents}),
    ):
        times_ms, counts = [], set()
        for _ in range(_READ_RUNS):
            start = time.perf_counter()
            counts.add(read(**bounds))
            times_ms.append((time.perf_counter() - start) * 1e3)
        start = time.perf_counter()
        counts.add(read())
        everything_ms = (time.perf_counter() - start) * 1e3
        (n_read,) = counts
        report(
            name,
            n_read=n_read,
            n_in_store=n_rows,
            p50_ms=round(statistics.median(times_ms), 1),
            max_ms=round(max(times_ms), 1),
            everything_and_filter_ms=round(everything_ms, 1),
            n_runs=_READ_RUNS,
            method="bounded reads on new connections; reading everything and filtering once, after them",
        )


def timed(name, n_rows, work):
    """Run once and report rows per second; generating the rows is part of an import."""
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    report(
        name,
        n_rows=n_rows,
        seconds=round(seconds, 2),
        rows_per_s=round(n_rows / seconds),
        peak_rss_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        method="one run, temporary folder, one process; generating the rows included in imports",
    )


def report(name, **values):
    """Print one result."""
    print(
        json.dumps(
            {"benchmark": f"embedded_store/{name}", **values, "machine": platform.processor() or platform.machine()}
        )
    )


if __name__ == "__main__":
    main()
