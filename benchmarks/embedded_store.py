"""How fast the embedded store takes interactions in, gives them back and counts labels. One JSON line per result."""

import argparse
import json
import platform
import resource
import statistics
import tempfile
import time
from pathlib import Path

from spots_ml.cli.options import utc_now
from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.stores.embedded.store import embedded_store

_COUNT_RUNS = 200


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

        timed("import_new", n_rows, take_in)
        watermark = store.interactions.label_watermark()
        timed(
            "import_unchanged",
            n_rows,
            lambda: store.interactions.import_interactions(law.generate(n_rows, seed=1), now=utc_now()),
        )
        store.interactions.import_interactions(law.generate(1000, seed=2), now=utc_now())
        timed(
            "read",
            n_rows,
            lambda: sum(batch.num_rows for batch in store.interactions.read_interactions(watermark).batches),
        )
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
