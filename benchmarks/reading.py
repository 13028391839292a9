"""Measures how fast and in how much memory exports are read, validated and held against the expectations.

    python benchmarks/reading.py [--export FILE] [--rows 10000] [--large-rows 1000000] [--repeats 7]

Prints one JSON line per result. The peer is what one would write first: `json.load`, then a loop over the
records that makes the same checks and fills the same columns. Whatever concerns memory runs in a process of
its own.
"""

import argparse
import json
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from spots_ml.features.contract import (
    AGENT_VIBES,
    CONTEXT_FEATURES,
    FEATURES,
    OPPORTUNITY_VIBES,
    TIMING_FEATURES,
    VIBE_DIMENSIONS,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
START_S = 1_600_000_000
ROWS_PER_AGENT = 20
GROUPS = {
    "user_vibe_dimensions": dict(zip(VIBE_DIMENSIONS, AGENT_VIBES, strict=True)),
    "spot_vibe_dimensions": dict(zip(VIBE_DIMENSIONS, OPPORTUNITY_VIBES, strict=True)),
    "context_features": {name: name for name in CONTEXT_FEATURES},
    "timing_features": {name: name for name in TIMING_FEATURES},
}


def main() -> None:
    """Run every measurement and print its result."""
    options = argparse.ArgumentParser()
    options.add_argument("--export", type=Path, help="the export to compare on; generated when absent")
    options.add_argument("--rows", type=int, default=10_000)
    options.add_argument("--large-rows", type=int, default=1_000_000)
    options.add_argument("--repeats", type=int, default=7)
    options.add_argument("--child", nargs=2, metavar=("WHAT", "FOLDER"))
    arguments = options.parse_args()
    if arguments.child:
        what, folder = arguments.child
        print(json.dumps({"validate": _validate, "expectations": _expectations}[what](Path(folder))))
        return
    with tempfile.TemporaryDirectory() as folder:
        export = arguments.export or _generate(Path(folder) / "small.json", arguments.rows, broken_every=0)
        _report(_compare(export, arguments.repeats))
        _report(_compare(_unpacked(export, Path(folder)), arguments.repeats))
        for broken_every in (0, 50):
            large = _generate(Path(folder) / "export.json", arguments.large_rows, broken_every)
            _report(
                {
                    "benchmark": "snapshot_and_dataset",
                    "broken_every": broken_every,
                    "export_mb": round(large.stat().st_size / 1e6),
                    **_in_child("validate", folder),
                }
            )
            large.unlink()
        _report({"benchmark": "expectations", **_in_child("expectations", folder)})


def _compare(export: Path, repeats: int) -> dict[str, object]:
    ours, peer = _read_columns(export), _peer(export)
    np.testing.assert_allclose(ours, peer, atol=1e-6)
    seconds: dict[str, list[float]] = {"ours": [], "peer": []}
    for _ in range(repeats):
        for name, read in (("ours", _read_columns), ("peer", _peer)):
            start = time.perf_counter()
            read(export)
            seconds[name].append(time.perf_counter() - start)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "benchmark": "read_and_validate",
        "export": export.name,
        "n_rows": len(ours),
        "ours_s": round(median["ours"], 4),
        "peer_s": round(median["peer"], 4),
        "ratio": round(median["peer"] / median["ours"], 2),
        "required_ratio": 5.0,
        "method": f"median of {repeats} alternating runs after one warm-up; "
        "both give the 39 contract features of the accepted rows; ours also the 6 of history",
    }


def _read_columns(export: Path) -> np.ndarray:
    """Read an export into validated columns; give the `(n_rows, 39)` features of the accepted rows."""
    from spots_ml.interactions.judging.judgement import accepted, judge
    from spots_ml.interactions.judging.rules import ValidationConfig
    from spots_ml.interactions.reading.export import read_export

    batches = list(read_export(export).batches)
    judgement = judge(lambda: batches, config=ValidationConfig(), now=NOW)
    parts, start = [], 0
    for batch in batches:
        part = slice(start, start + batch.num_rows)
        rows = judgement.merged(batch, start)
        parts.append(accepted(rows, judgement.masks[part], judgement.history[part]))
        start += batch.num_rows
    table = pa.Table.from_batches(parts)
    return np.stack([table[name].to_numpy() for name in FEATURES], axis=1)


def _peer(export: Path) -> np.ndarray:
    """Do the same in the plain way."""
    import gzip

    with gzip.open(export) if export.suffix == ".gz" else export.open("rb") as stream:
        records = json.load(stream)["training_data"]
    columns: dict[str, list[float | None]] = {name: [] for name in FEATURES}
    labels: list[tuple[object, ...]] = []
    seen: set[tuple[object, ...]] = set()
    for record in records:
        values: dict[str, float | None] = {}
        if _record_is_fine(record, values, seen):
            _derive(values)
            for name, value in values.items():
                columns[name].append(value)
            labels.append((record["outcome_type"], record["outcome_score"]))
    assert len(labels) == len(columns[FEATURES[0]])
    return np.stack([np.array(columns[name], dtype=np.float32) for name in FEATURES], axis=1)


def _derive(values: dict[str, float | None]) -> None:
    """Add the derived slots by the app's rules, for records whose vibe dimensions are all known."""
    agreement = [
        1.0 - abs(values[mine] - values[other]) for mine, other in zip(AGENT_VIBES, OPPORTUNITY_VIBES, strict=True)
    ]
    by_name = dict(zip(VIBE_DIMENSIONS, agreement, strict=True))
    tendency = [
        (values[f"{side}_exploration_eagerness"] + values[f"{side}_novelty_seeking"]) / 2.0
        for side in ("agent", "opportunity")
    ]
    values["vibe_compatibility"] = (
        0.5 * sum(agreement) / len(agreement)
        + 0.2 * by_name["overall_energy"]
        + 0.15 * (1.0 - abs(tendency[0] - tendency[1]))
        + 0.15 * by_name["social_preference"]
    )
    values["energy_match"] = by_name["overall_energy"]
    values["community_match"] = by_name["community_orientation"]
    values["novelty_match"] = by_name["novelty_seeking"]
    known = [values[name] for name in TIMING_FEATURES if values[name] is not None]
    values["timing_alignment"] = sum(known) / len(known) if known else 0.5


def _record_is_fine(record: dict, values: dict[str, float | None], seen: set[tuple[object, ...]]) -> bool:
    for group, keys in GROUPS.items():
        features = record.get(group)
        if not isinstance(features, dict):
            return False
        for key, name in keys.items():
            if key not in features:
                return False
            value = features[key]
            if value is not None and (
                type(value) not in (float, int) or not math.isfinite(value) or not 0.0 <= value <= 1.0
            ):
                return False
            values[name] = value
        for key in features:
            if key not in keys and not key.startswith(("context_feature_", "timing_feature_")):
                return False
    for key in ("formula_calling_score", "outcome_score"):
        value = record[key]
        if type(value) not in (float, int) or not math.isfinite(value) or not 0.0 <= value <= 1.0:
            return False
    score, kind = record["outcome_score"], record["outcome_type"]
    low, high = {"positive": (0.7, 1.0), "neutral": (0.3, 0.7), "negative": (0.0, 0.4)}[kind]
    if not low <= score <= high:
        return False
    times = [record.get("timestamp"), record.get("outcome_timestamp")]
    parsed = [datetime.fromisoformat(time) for time in times if time is not None]
    if any(time.tzinfo is None or time > NOW for time in parsed) or parsed != sorted(parsed):
        return False
    identity = (record.get("agent_id"), record.get("opportunity_id"), *times[:1])
    if None in identity:
        identity = (*values.values(), record["formula_calling_score"], score, kind)
    if identity in seen:
        return False
    seen.add(identity)
    return True


def _validate(folder: Path) -> dict[str, object]:
    from spots_ml.interactions.keeping.snapshot import write_snapshot
    from spots_ml.interactions.learning.validation import build_dataset
    from spots_ml.interactions.reading.export import read_export

    start = time.perf_counter()
    snapshot = write_snapshot(read_export(folder / "export.json"), folder / "snapshots")
    read = time.perf_counter()
    report = build_dataset(folder / "snapshots", snapshot.digest, folder / "datasets", now=NOW)
    end = time.perf_counter()
    return {
        "n_read": report.n_read,
        "n_accepted": report.n_accepted,
        "n_quarantined": report.n_quarantined,
        "snapshot_s": round(read - start, 2),
        "dataset_s": round(end - read, 2),
        "peak_rss_mb": _peak_rss_mb(),
        "required_rss_mb": 2_000,
        "method": "one run in a fresh process; peak resident memory of the process",
    }


def _expectations(folder: Path) -> dict[str, object]:
    from spots_ml.interactions.learning.expectations import check_expectations
    from spots_ml.interactions.learning.validation import load_dataset

    digest = next(path.name for path in (folder / "datasets").iterdir())
    report, rows = load_dataset(folder / "datasets", digest)
    start = time.perf_counter()
    import great_expectations.expectations  # noqa: F401

    imported = time.perf_counter()
    results = check_expectations(report, rows)
    checked = time.perf_counter()
    check_expectations(report, rows, docs_dir=folder / "docs")
    return {
        "n_rows": rows.num_rows,
        "n_expectations": len(results),
        "all_passed": all(result.passed for result in results),
        "import_s": round(imported - start, 2),
        "check_s": round(checked - imported, 2),
        "check_and_data_docs_s": round(time.perf_counter() - checked, 2),
        "peak_rss_mb": _peak_rss_mb(),
        "method": "one run in a fresh process; peak resident memory of the process",
    }


def _in_child(what: str, folder: str) -> dict[str, object]:
    command = [sys.executable, __file__, "--child", what, folder]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _peak_rss_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // 1_000_000


def _generate(path: Path, n_rows: int, broken_every: int) -> Path:
    """Write an export in the app's layout, record by record.

    Every `broken_every`-th record has a feature of 7.
    """
    generator = np.random.default_rng(1)
    layout: dict[str, object] = {group: dict.fromkeys(keys, "@") for group, keys in GROUPS.items()}
    layout |= {"agent_id": "#a", "opportunity_id": "#o", "timestamp": "#t", "outcome_timestamp": "#u"}
    layout |= {
        "formula_calling_score": "@",
        "formula_is_called": True,
        "outcome_type": "#k",
        "outcome_score": "@",
    }
    template = json.dumps(layout, indent=2).replace('"@"', "%.4f")
    for mark in ("#a", "#o", "#t", "#u", "#k"):
        template = template.replace(mark, "%s")
    with path.open("w") as stream:
        stream.write('{"metadata": {"description": "synthetic"}, "training_data": [')
        for start in range(0, n_rows, 10_000):
            numbers = generator.random((min(10_000, n_rows - start), 36)).round(4).tolist()
            for row, values in enumerate(numbers, start):
                if broken_every and row % broken_every == 0:
                    values[0] = 7.0
                score = values[35]
                kind = "positive" if score >= 0.7 else "neutral" if score >= 0.4 else "negative"
                times = [datetime.fromtimestamp(START_S + row * 60 + delay, UTC).isoformat() for delay in (0, 3600)]
                who = (f"agent-{row % (n_rows // ROWS_PER_AGENT)}", f"spot-{row % 9973}")
                if row:
                    stream.write(", ")
                stream.write(template % (*values[:34], *who, *times, values[34], kind, score))
        stream.write("]}\n")
    return path


def _unpacked(export: Path, folder: Path) -> Path:
    if export.suffix != ".gz":
        return export
    import gzip

    path = folder / export.stem
    path.write_bytes(gzip.decompress(export.read_bytes()))
    return path


def _report(result: dict[str, object]) -> None:
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cpus": os.cpu_count()}
    print(json.dumps(result | machine), flush=True)


if __name__ == "__main__":
    main()
