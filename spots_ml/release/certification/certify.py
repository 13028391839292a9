"""Certifies an ONNX file: read it, then run it as bytes in the client's runtime and in the current one.

The file is read in `onnx.static_checks`. Each runtime gets a process of its own that has nothing but bytes; what such a
process does is in `client_check`. The result is a `certificate`, which tells why there are two.
"""

import copy
import io
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import ValidationError

from spots_ml.digests import canonical_json, digest_bytes
from spots_ml.features.contract import CONTRACT_DIGEST
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.release.certification.certificate import (
    CLIENT_RUNTIME,
    CURRENT_RUNTIME,
    RUNTIMES,
    Certificate,
    CertificationLimits,
    RuntimeReport,
    tolerance_of,
)
from spots_ml.release.onnx.static_checks import check_file

if TYPE_CHECKING:
    from spots_ml.training.network import ScoringNetwork

_SCRIPT: Final = Path(__file__).with_name("client_check.py")
_ENVIRONMENT: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_REMEDY: Final = "run `make setup`, which installs both runtimes"


def certify(
    content: bytes,
    network: "ScoringNetwork",
    golden_inputs: np.ndarray,
    *,
    model_type: ModelType,
    version: str,
    trained_digest: str,
    runtimes: Mapping[str, Path],
    limits: CertificationLimits | None = None,
) -> Certificate:
    """Check a file in every way there is; the runtimes work at the same time, one process each.

    Args:
        content: The ONNX file.
        network: The trained network that it must agree with: what it answers in 64-bit floats is the truth, what in
            32-bit floats tells how much rounding lies in the model itself (see `certificate.Certificate.tolerance`).
        golden_inputs: `(n_rows, n_inputs)` float32 in [0, 1], at least one row.
        model_type: The model it must be.
        version: The version name it must carry.
        trained_digest: The trained model it must name.
        runtimes: Interpreter by runtime name; both of `certificate.RUNTIMES` are needed.
        limits: What to hold it against; None: the defaults.

    Returns:
        The certificate with everything that was found. A runtime that is absent, of the wrong line, crashes
        or takes too long is a finding, too: what could not be checked is not certified.

    Raises:
        ValueError: When the golden rows are not of the shape, type or range above.
    """
    limits = limits or CertificationLimits()
    _check_golden(golden_inputs, model_spec(model_type).n_inputs)
    exact = exact_outputs(network, golden_inputs)
    largest = float(np.abs(torch_outputs(network, golden_inputs) - exact).max())
    # What is no number is found by reading the file and by running it.
    rounding = largest if math.isfinite(largest) else None
    message = check_message(content, golden_inputs, exact, limits, tolerance_of(limits, rounding))
    names = sorted({*RUNTIMES, *runtimes})
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        jobs = [pool.submit(run_in_runtime, name, runtimes.get(name), message, limits) for name in names]
        static = check_file(content, model_type=model_type, version=version, trained_digest=trained_digest)
        reports = tuple(job.result() for job in jobs)
    return Certificate(
        model_type=model_type,
        onnx_digest=digest_bytes(content),
        contract_digest=CONTRACT_DIGEST,
        size_bytes=len(content),
        limits=limits,
        rounding=rounding,
        static=static,
        runtimes=reports,
    )


def torch_outputs(network: "ScoringNetwork", inputs: np.ndarray) -> np.ndarray:
    """Answer rows with the network itself.

    Args:
        network: The trained network.
        inputs: `(n_rows, n_inputs)` float32.

    Returns:
        `(n_rows, 1)` float32.
    """
    import torch

    with torch.inference_mode():
        outputs: np.ndarray = network(torch.from_numpy(np.ascontiguousarray(inputs))).numpy()
    return outputs


def exact_outputs(network: "ScoringNetwork", inputs: np.ndarray) -> np.ndarray:
    """Answer rows with the network in 64-bit floats, in which its own rounding does not show.

    Args:
        network: The trained network.
        inputs: `(n_rows, n_inputs)` float32.

    Returns:
        `(n_rows, 1)` float64.
    """
    import torch

    exact = copy.deepcopy(network).double()
    with torch.inference_mode():
        outputs: np.ndarray = exact(torch.from_numpy(np.ascontiguousarray(inputs)).double()).numpy()
    return outputs


def _check_golden(inputs: np.ndarray, width: int) -> None:
    if inputs.dtype != np.float32 or inputs.ndim != 2 or inputs.shape[1] != width or len(inputs) == 0:
        raise ValueError(f"golden rows are {inputs.dtype} {inputs.shape}; expected float32 (1 or more, {width})")
    if not ((inputs >= 0.0) & (inputs <= 1.0)).all():
        raise ValueError("golden rows hold values outside [0, 1] or NaN; expected contract values")


def default_runtimes(client_python: Path) -> dict[str, Path]:
    """Name the two interpreters that certify: the client's, and the one this program runs in.

    Args:
        client_python: Interpreter of the environment with the client's ONNX Runtime.

    Returns:
        Interpreters by runtime name, as `certify` takes them.
    """
    return {CLIENT_RUNTIME: client_python, CURRENT_RUNTIME: Path(sys.executable)}


def installed(python: Path) -> list[str]:
    """Name what is installed beside an interpreter, without starting it.

    Args:
        python: An interpreter of a virtual environment.

    Returns:
        Names with versions, such as `onnxruntime-1.15.1`, sorted; empty where there is none.
    """
    found = python.absolute().parent.parent.glob("lib/python*/site-packages/*.dist-info")
    return sorted(path.name.removesuffix(".dist-info") for path in found)


def check_message(
    content: bytes, golden: np.ndarray, expected: np.ndarray, limits: CertificationLimits, tolerance: float
) -> bytes:
    """Pack what a runtime is given: bytes only.

    Args:
        content: The ONNX file.
        golden: `(n_rows, n_inputs)` float32.
        expected: `(n_rows, 1)` float64, the network's exact answers to them.
        limits: What to hold the file against.
        tolerance: Largest distance from them that is allowed.

    Returns:
        An `.npz` archive, as `client_check` reads it from standard input.
    """
    archive = io.BytesIO()
    np.savez(
        archive,
        model=np.frombuffer(content, dtype=np.uint8),
        golden_inputs=golden,
        expected_outputs=expected,
        settings=np.frombuffer(canonical_json(limits.model_dump() | {"tolerance": tolerance}), dtype=np.uint8),
    )
    return archive.getvalue()


def run_in_runtime(name: str, python: Path | None, message: bytes, limits: CertificationLimits) -> RuntimeReport:
    """Let one runtime check the file, in a process without any other file of ours.

    Args:
        name: Which runtime.
        python: Its interpreter; None when there is none.
        message: What `check_message` packed.
        limits: What the file is held against.

    Returns:
        The report; whatever kept the process from answering is its finding.
    """
    if python is None or not python.is_file():
        return _no_report(name, f"there is no interpreter at {python or 'any place'}; {_REMEDY}")
    with tempfile.TemporaryDirectory(prefix="spots-ml-certify-") as empty:
        try:
            done = subprocess.run(
                [str(python.absolute()), "-I", str(_SCRIPT)],
                input=message,
                capture_output=True,
                timeout=limits.timeout_s,
                cwd=empty,
                env=_ENVIRONMENT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return _no_report(name, f"gave no answer within {limits.timeout_s:g} s")
        except OSError as error:
            return _no_report(name, f"{python} cannot be started ({error.strerror}); {_REMEDY}")
    if done.returncode != 0:
        last_words = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        return _no_report(name, f"the process ended with status {done.returncode}: {last_words[0]}; {_REMEDY}")
    try:
        report = RuntimeReport.model_validate({"name": name, **json.loads(done.stdout)})
    except (json.JSONDecodeError, ValidationError) as error:
        return _no_report(name, f"its answer cannot be read ({error})")
    return _with_line_checked(report, limits)


def _with_line_checked(report: RuntimeReport, limits: CertificationLimits) -> RuntimeReport:
    of_client_line = str(report.onnxruntime_version).startswith(limits.client_line)
    if of_client_line == (report.name == CLIENT_RUNTIME):
        return report
    expected = "of" if report.name == CLIENT_RUNTIME else "newer than"
    finding = (
        f"is onnxruntime {report.onnxruntime_version}, expected one {expected} the client's line "
        f"{limits.client_line}x; {_REMEDY}"
    )
    return report.model_copy(update={"findings": (*report.findings, finding)})


def _no_report(name: str, finding: str) -> RuntimeReport:
    return RuntimeReport(name=name, onnxruntime_version=None, findings=(finding,))
