"""Certifies an ONNX file: read it, then run it as bytes in the client's runtime and in the current one.

The file is read in `static_checks`, the runtimes are started in `runtimes`; the result is a `certificate`.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spots_ml.digests import digest_bytes
from spots_ml.features.contract import CONTRACT_DIGEST
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.release.certification.certificate import RUNTIMES, Certificate, CertificationLimits
from spots_ml.release.certification.runtimes import check_message, run_in_runtime
from spots_ml.release.onnx.static_checks import check_file

if TYPE_CHECKING:
    from spots_ml.training.network import ScoringNetwork


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
        network: The trained network that it must agree with, in torch.
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
    message = check_message(content, golden_inputs, torch_outputs(network, golden_inputs), limits)
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


def _check_golden(inputs: np.ndarray, width: int) -> None:
    if inputs.dtype != np.float32 or inputs.ndim != 2 or inputs.shape[1] != width or len(inputs) == 0:
        raise ValueError(f"golden rows are {inputs.dtype} {inputs.shape}; expected float32 (1 or more, {width})")
    if not ((inputs >= 0.0) & (inputs <= 1.0)).all():
        raise ValueError("golden rows hold values outside [0, 1] or NaN; expected contract values")
