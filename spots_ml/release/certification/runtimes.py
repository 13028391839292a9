"""The ONNX Runtimes that certify a file: each in a process of its own that has nothing but bytes.

What such a process does is in `client_check`; why there are two is told in `certificate`.
"""

import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import ValidationError

from spots_ml.release.certification.certificate import (
    CLIENT_RUNTIME,
    CURRENT_RUNTIME,
    CertificationLimits,
    RuntimeReport,
)

_SCRIPT: Final = Path(__file__).with_name("client_check.py")
_ENVIRONMENT: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_REMEDY: Final = "run `make setup`, which installs both runtimes"


def default_runtimes(client_python: Path) -> dict[str, Path]:
    """Name the two interpreters that certify: the client's, and the one this program runs in.

    Args:
        client_python: Interpreter of the environment with the client's ONNX Runtime.

    Returns:
        Interpreters by runtime name, as `certify` takes them.
    """
    return {CLIENT_RUNTIME: client_python, CURRENT_RUNTIME: Path(sys.executable)}


def check_message(content: bytes, golden: np.ndarray, expected: np.ndarray, limits: CertificationLimits) -> bytes:
    """Pack what a runtime is given: bytes only.

    Args:
        content: The ONNX file.
        golden: `(n_rows, n_inputs)` float32.
        expected: `(n_rows, 1)` float32, what torch answers to them.
        limits: What to hold the file against.

    Returns:
        An `.npz` archive, as `client_check` reads it from standard input.
    """
    archive = io.BytesIO()
    np.savez(
        archive,
        model=np.frombuffer(content, dtype=np.uint8),
        golden_inputs=golden,
        expected_outputs=expected,
        settings=np.frombuffer(limits.to_bytes(), dtype=np.uint8),
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
