"""Runs an ONNX file the way the app does, in a process that has nothing but bytes; prints one JSON document.

A script for any interpreter with NumPy and ONNX Runtime, old or new: it imports nothing of this project and
the project never imports it. Standard input is an `.npz` archive with `model` (uint8), `golden_inputs`
`(n, n_inputs)` (float32), `expected_outputs` `(n, 1)` (float64), and `settings` (uint8, JSON). What the answer means is
judged elsewhere.
"""

import io
import json
import math
import platform
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

CHUNK_ROWS = 4096

REFUSALS = (
    ort_errors.EPFail,
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoModel,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)


class Run:
    """One session, what it answered so far, and what was wrong with it."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self.session = session
        self.findings: list[str] = []
        self.out_of_range: set[str] = set()
        self.output_min = math.inf
        self.output_max = -math.inf

    def outputs(self, inputs: np.ndarray, what: str) -> np.ndarray | None:
        """Run rows; returns `(n_rows, 1)` float32, or None after noting what was wrong with the answer."""
        try:
            (outputs,) = self.session.run(["output"], {"input": inputs})
        except (*REFUSALS, ValueError) as error:
            self.note(f"{what}: {one_line(error)}")
            return None
        if not isinstance(outputs, np.ndarray) or outputs.shape != (len(inputs), 1):
            self.note(f"{what}: output has shape {list(np.shape(outputs))}, expected [{len(inputs)}, 1]")
            return None
        if outputs.dtype != np.float32:
            self.note(f"{what}: output is {outputs.dtype}, expected float32")
        low, high = float(outputs.min()), float(outputs.max())
        self.output_min, self.output_max = worst(low, self.output_min, min), worst(high, self.output_max, max)
        if not (low >= 0.0 and high <= 1.0) and what not in self.out_of_range:
            self.out_of_range.add(what)
            self.note(f"{what}: output in [{low}, {high}], expected within [0, 1]")
        return outputs

    def note(self, finding: str) -> None:
        """Keep a finding, each once."""
        if finding not in self.findings:
            self.findings.append(finding)


def worst(new: float, old: float, choose: Callable[[float, float], float]) -> float:
    """Choose the smaller or larger of two numbers; NaN wins."""
    return math.nan if math.isnan(new) or math.isnan(old) else choose(new, old)


def one_line(error: Exception) -> str:
    """An error's message without line breaks."""
    return " ".join(str(error).split())


def session_of(model: bytes) -> ort.InferenceSession:
    """Load a model from bytes, as the app does."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def compare_golden(run: Run, inputs: np.ndarray, expected: np.ndarray, batch: int, tolerance: float) -> float | None:
    """Largest difference from the network when the golden rows come in batches of one size; None when undefined."""
    n_rows = max(len(inputs), batch)
    rows = np.arange(-(-n_rows // batch) * batch) % len(inputs)
    largest = 0.0
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        outputs = run.outputs(np.ascontiguousarray(inputs[part]), f"golden rows at batch {batch}")
        if outputs is None:
            return None
        difference = np.abs(outputs.astype(np.float64) - expected[part])
        largest = worst(float(difference.max()), largest, max)
    if not largest <= tolerance:
        run.note(f"golden rows at batch {batch}: {largest:.3g} away from the network, expected at most {tolerance:g}")
    return largest if math.isfinite(largest) else None


def corner_rows(n_inputs: int, n_random: int, rng: np.random.Generator) -> np.ndarray:
    """All zeros, ones and unknowns, each input alone at 0 or 1 against each of these, and random corners."""
    flat = np.array([0.0, 1.0, 0.5], dtype=np.float32)
    alone = np.eye(n_inputs, dtype=bool)
    parts = [np.repeat(flat[:, None], n_inputs, axis=1)]
    parts += [np.where(alone, np.float32(value), base) for base in flat for value in (0.0, 1.0) if value != base]
    parts.append(rng.integers(0, 2, size=(n_random, n_inputs)).astype(np.float32))
    return np.concatenate(parts).astype(np.float32)


def run_random(run: Run, n_inputs: int, n_rows: int, rng: np.random.Generator) -> int:
    """Run random rows in [0, 1) in chunks; returns how many were answered."""
    done = 0
    while done < n_rows:
        chunk = rng.random((min(CHUNK_ROWS, n_rows - done), n_inputs), dtype=np.float32)
        if run.outputs(chunk, "random rows") is None:
            break
        done += len(chunk)
    return done


def check(archive: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Do all the work; returns the report as plain JSON values."""
    settings = json.loads(archive["settings"].tobytes())
    inputs, expected = archive["golden_inputs"], archive["expected_outputs"]
    report = {
        "onnxruntime_version": ort.__version__,
        "numpy_version": np.__version__,
        "python_version": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
    try:
        run = Run(session_of(archive["model"].tobytes()))
    except REFUSALS as error:
        return {**report, "findings": [f"does not load from bytes: {one_line(error)}"]}

    differences = {
        batch: compare_golden(run, inputs, expected, batch, settings["tolerance"]) for batch in settings["batch_sizes"]
    }
    rng = np.random.default_rng(settings["seed"])
    corners = corner_rows(inputs.shape[1], settings["n_random_corners"], rng)
    corners_answered = run.outputs(corners, "corner rows") is not None
    n_random_rows = run_random(run, inputs.shape[1], settings["n_random_rows"], rng)
    return {
        **report,
        "n_golden_rows": len(inputs),
        "n_corner_rows": len(corners) if corners_answered else 0,
        "n_random_rows": n_random_rows,
        "max_abs_difference": {batch: value for batch, value in differences.items() if value is not None},
        "output_min": run.output_min if math.isfinite(run.output_min) else None,
        "output_max": run.output_max if math.isfinite(run.output_max) else None,
        "findings": run.findings,
    }


if __name__ == "__main__":
    with np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False) as stored:
        document = check({name: stored[name] for name in stored.files})
    sys.stdout.write(json.dumps(document) + "\n")
