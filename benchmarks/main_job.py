"""Measures the main job (both models, `spots-ml run`) against a plain script that trains one model the earlier way.

    python benchmarks/main_job.py [--export FILE] [--repeats 3]

Both read the same export of 10,000 records and run in turn, as whole processes, in a warm environment: once before
anything is counted. The script uses as many threads as torch takes by default, as one would start it, and in a second
measurement one thread, which suits tiny networks better. The job's profile differs a little every time: otherwise it
would find its version there.
Prints one JSON line per result, then where the job's time goes. Needs the extra `bench`.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
REQUIRED_RATIO = 1.7


def main() -> None:
    """Run every measurement and print its result."""
    options = argparse.ArgumentParser()
    options.add_argument("--export", type=Path, help="the export to train on; generated when absent")
    options.add_argument("--repeats", type=int, default=3)
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        export = arguments.export or _generated(work)
        environ = _environment(work, export)
        _job(environ, work)
        for name, threads in (("default threads", None), ("one thread", "1")):
            peer_environ = {k: v for k, v in environ.items() if k != "OMP_NUM_THREADS"}
            peer_environ |= {"OMP_NUM_THREADS": threads} if threads else {}
            _peer(peer_environ, export, work)
            pairs = [(_job(environ, work), _peer(peer_environ, export, work)) for _ in range(arguments.repeats)]
            print(json.dumps(_result(name, pairs)))
        print(json.dumps({"benchmark": "main_job_steps", "seconds": _steps(environ, work)}))


def _result(name: str, pairs: list[tuple[float, float]]) -> dict[str, object]:
    ratio = statistics.median(job / peer for job, peer in pairs)
    return {
        "benchmark": "main_job",
        "peer": f"plain script, one model, {name}",
        "job_s": round(statistics.median(job for job, _ in pairs), 2),
        "peer_s": round(statistics.median(peer for _, peer in pairs), 2),
        "ratio": round(ratio, 2),
        "required_ratio_at_most": REQUIRED_RATIO,
        "method": f"median of {len(pairs)} alternating pairs of whole processes after one warm-up; ratio by pair",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
    }


def _generated(work: Path) -> Path:
    export = work / "export.json.gz"
    _spots_ml({**os.environ}, "generate", "--kind", "seed", "--rows", "10000", "--seed", "1", "--out", str(export))
    return export


def _environment(work: Path, export: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SPOTS_ML_")}
    return {
        **kept,
        "OMP_NUM_THREADS": "1",
        "DAGSTER_HOME": str(work / "home"),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "SPOTS_ML_DATA_DIR": str(work / "data"),
        "SPOTS_ML_ARTIFACTS_DIR": str(work / "artifacts"),
        "SPOTS_ML_SOURCE": "export",
        "SPOTS_ML_EXPORT_PATH": str(export),
        "SPOTS_ML_PROFILE": str(work / "profile.yaml"),
    }


def _spots_ml(environ: dict[str, str], *words: str) -> str:
    command = [sys.executable, "-m", "spots_ml.cli", *words]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, cwd=PROJECT, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stdout}\n{done.stderr}")
    return done.stderr


def _job(environ: dict[str, str], work: Path) -> float:
    """Run the job on a profile that differs a little each time, so that nothing of it was made before."""
    profile = work / "profile.yaml"
    tried = len(list((work / "artifacts" / "models" / "outcome").glob("v*"))) if (work / "artifacts").exists() else 0
    profile.write_text(f"tolerated_excess: {0.03 + tried * 1e-6}\n")
    started = time.perf_counter()
    _spots_ml(environ, "run")
    return time.perf_counter() - started


def _steps(environ: dict[str, str], work: Path) -> dict[str, float]:
    (work / "profile.yaml").write_text("tolerated_excess: 0.031\n")
    lines = _spots_ml(environ, "run", "--times").splitlines()
    table = lines[next(i for i, line in enumerate(lines) if line.startswith("STEP")) + 1 :]
    return {step: float(seconds) for step, seconds in (line.split() for line in table if line)}


def _peer(environ: dict[str, str], export: Path, work: Path) -> float:
    script = PROJECT / "benchmarks" / "peers" / "plain_training.py"
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, str(script), str(export), str(work / "peer.onnx")],
        env=environ,
        capture_output=True,
        check=True,
    )
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
