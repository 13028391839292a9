"""A tiny version for rehearsals: a real ONNX file that gives every row the same answer, with a manifest around it.

It proves nothing about anybody; it belongs into a place of its own, which is thrown away.
"""

from datetime import datetime
from pathlib import Path
from typing import Final

from spots_ml.digests import digest_bytes
from spots_ml.features.contract import CONTRACT_DIGEST
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.registry.records import REQUIRED_GATES, ModelVersion
from spots_ml.registry.registration import register_version
from spots_ml.registry.version_store import VersionRegistration
from spots_ml.release.certification.certificate import (
    CLIENT_RUNTIME,
    Certificate,
    CertificationLimits,
    RuntimeReport,
    StaticReport,
)
from spots_ml.release.certification.client_limits import BUILT_IR_VERSION, MAX_OPSET
from spots_ml.release.latency.report import LatencyConfig, LatencyReport, LatencySummary
from spots_ml.release.manifest import ContentDigests, Manifest
from spots_ml.release.onnx.graph import build_onnx
from spots_ml.verdicts import Verdict

_TOLD: Final = "a rehearsal: nothing was measured"
_FAR: Final = 12.0
"""Of a logit: its sigmoid is 1 or 0 to five digits."""
_NO_TIME: Final = LatencySummary(p50_us=0, p95_us=0, p99_us=0, max_us=0, quantiles_us=(0.0,) * 101)


def register_rehearsed(
    store: VersionRegistration,
    models_dir: Path,
    model_type: ModelType,
    version: str,
    *,
    says_yes: bool,
    now: datetime,
    actor: str,
) -> ModelVersion:
    """Register a version that answers the same to everything.

    Args:
        store: A registry of a rehearsal.
        models_dir: Its folder of published versions.
        model_type: Which model.
        version: Its name, of synthetic data.
        says_yes: Whether it answers 1 or 0.
        now: The present (UTC).
        actor: Who registers.

    Returns:
        The version, in staging.
    """
    trained = digest_bytes(f"{model_type} {version} {says_yes}".encode())
    onnx = _constant(model_type, version, trained, _FAR if says_yes else -_FAR)
    manifest = _manifest(model_type, version, trained, onnx, now)
    return register_version(store, models_dir, onnx=onnx, manifest=manifest, now=now, actor=actor).version


def _constant(model_type: ModelType, version: str, trained: str, logit: float) -> bytes:
    import torch

    from spots_ml.training.network import ScoringNetwork

    network = ScoringNetwork(model_type)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.calibration_intercept.fill_(logit)
    return build_onnx(network, version=version, trained_digest=trained)


def _manifest(model_type: ModelType, version: str, trained: str, onnx: bytes, now: datetime) -> Manifest:
    nothing, digest = digest_bytes(b""), digest_bytes(onnx)
    return Manifest(
        model_type=model_type,
        version=version,
        created_at=now,
        source_kind="synthetic",
        source=_TOLD,
        watermark=None,
        n_labelled=0,
        n_rows_by_split={},
        seed=0,
        digests=ContentDigests(
            snapshot=nothing,
            dataset=nothing,
            contract=CONTRACT_DIGEST,
            config=nothing,
            weights=nothing,
            trained=trained,
            onnx=digest,
        ),
        metrics={},
        evaluation={},
        verdicts=tuple(
            Verdict(gate=gate, passed=True, measured={"rehearsed": 1.0}, required={"rehearsed": 1.0}, message=_TOLD)
            for gate in REQUIRED_GATES
        ),
        certificate=Certificate(
            model_type=model_type,
            onnx_digest=digest,
            contract_digest=CONTRACT_DIGEST,
            size_bytes=len(onnx),
            limits=CertificationLimits(),
            static=StaticReport(ir_version=BUILT_IR_VERSION, opset=MAX_OPSET, operators=(), findings=()),
            runtimes=(RuntimeReport(name=CLIENT_RUNTIME, onnxruntime_version="1.15.1"),),
        ),
        latency=LatencyReport(
            onnx_digest=digest,
            config=LatencyConfig(),
            one_row=_NO_TIME,
            empty_graph=_NO_TIME,
            throughput=(),
            cold_load_p50_us=0,
            cold_load_max_us=0,
            n_threads=1,
            onnxruntime_version="0",
            machine=_TOLD,
        ),
        ir_version=BUILT_IR_VERSION,
        opset=MAX_OPSET,
        size_bytes=len(onnx),
        inputs=model_spec(model_type).inputs,
        ignored_inputs=(),
        environment={},
    )
