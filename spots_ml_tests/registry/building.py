"""Good manifests and candidates with made-up numbers, for every test that needs something to register."""

from datetime import UTC, datetime, timedelta

import torch

from spots_ml.digests import digest_bytes
from spots_ml.features.contract import CONTRACT_DIGEST
from spots_ml.models.declared import model_spec
from spots_ml.registry.records import REQUIRED_GATES, Candidate
from spots_ml.registry.registration import content_of, register_version
from spots_ml.release.certification.certificate import (
    CLIENT_RUNTIME,
    Certificate,
    CertificationLimits,
    RuntimeReport,
    StaticReport,
)
from spots_ml.release.latency.report import LatencyConfig, LatencyReport, LatencySummary
from spots_ml.release.manifest import ContentDigests, Manifest
from spots_ml.release.onnx.graph import build_onnx
from spots_ml.stores.embedded.store import embedded_store
from spots_ml.training.network import ScoringNetwork
from spots_ml.verdicts import Verdict
from spots_ml_tests.registry.blessing import promote_blessed

START = datetime(2026, 11, 21, 10, tzinfo=UTC)


def hours(number):
    return START + timedelta(hours=number)


def verdict(gate, *, passed=True, **changes):
    values = {
        "gate": gate,
        "passed": passed,
        "measured": {"test_mse": 0.022},
        "required": {"test_mse": 0.024},
        "message": f"{gate}: 0.022 against 0.024",
    }
    return Verdict(**(values | changes))


def all_verdicts():
    return tuple(map(verdict, REQUIRED_GATES))


def onnx_bytes(name):
    return f"the file of {name}".encode()


def make_manifest(name="first", version="v1.0-synthetic", model_type="calling_score", onnx=None, **changes):
    """A manifest of a model whose content is told by `name`."""
    onnx = onnx or onnx_bytes(name)
    summary = LatencySummary(p50_us=5, p95_us=6, p99_us=7, max_us=8, quantiles_us=tuple(map(float, range(101))))
    values = {
        "model_type": model_type,
        "version": version,
        "created_at": START,
        "source_kind": version.split("-")[1],
        "source": "made up",
        "watermark": None,
        "n_labelled": 10_000,
        "n_rows_by_split": {"train": 7000},
        "seed": 1,
        "digests": ContentDigests(
            **dict.fromkeys(("snapshot", "dataset", "config", "weights"), digest_bytes(b"")),
            contract=CONTRACT_DIGEST,
            trained=digest_bytes(name.encode()),
            onnx=digest_bytes(onnx),
        ),
        "metrics": {"test_mse": 0.0224},
        "evaluation": {},
        "verdicts": all_verdicts(),
        "certificate": Certificate(
            model_type=model_type,
            onnx_digest=digest_bytes(onnx),
            contract_digest=CONTRACT_DIGEST,
            size_bytes=len(onnx),
            limits=CertificationLimits(),
            static=StaticReport(ir_version=8, opset=18, operators=("Gemm",), findings=()),
            runtimes=(RuntimeReport(name=CLIENT_RUNTIME, onnxruntime_version="1.15.1"),),
        ),
        "latency": LatencyReport(
            onnx_digest=digest_bytes(onnx),
            config=LatencyConfig(),
            one_row=summary,
            empty_graph=summary,
            throughput=(),
            cold_load_p50_us=1,
            cold_load_max_us=1,
            n_threads=1,
            onnxruntime_version="1.31.1",
            machine="made up",
        ),
        "ir_version": 8,
        "opset": 18,
        "size_bytes": len(onnx),
        "inputs": model_spec(model_type).inputs,
        "ignored_inputs": (),
        "environment": {},
    }
    return Manifest(**(values | changes))


def make_candidate(name="first", version="v1.0-synthetic", model_type="calling_score", **changes):
    """A candidate without files."""
    manifest = make_manifest(name, version, model_type, **changes)
    content = content_of(manifest, digest_bytes(manifest.to_bytes()))
    return Candidate(content=content, watermark=manifest.watermark, verdicts=manifest.verdicts)


def small_network(model_type, seed=5):
    """A network that nobody trained: its answers are anything in (0, 1), different for every seed."""
    generator = torch.Generator().manual_seed(seed)
    network = ScoringNetwork(model_type)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
        network.shift.fill_(0.5)
        network.scale.fill_(2.0)
    return network


def register_network(
    store, models_dir, model_type="calling_score", version="v1.0-synthetic", seed=5, *, active=True, **changes
):
    """Register an untrained network as a version with made-up numbers and promote it; returns the ONNX file's bytes."""
    name = f"{model_type} {version} {seed}"
    onnx = build_onnx(small_network(model_type, seed), version=version, trained_digest=digest_bytes(name.encode()))
    manifest = make_manifest(name, version, model_type, onnx=onnx, **changes)
    register_version(store, models_dir, onnx=onnx, manifest=manifest, now=START, actor="test")
    if active:
        promote_blessed(store, model_type, version, now=START, actor="test", reason="")
    return onnx


def two_versions_in(root):
    """An embedded registry in a place with `data` and `artifacts`, whose files are no real models."""
    store = embedded_store(root / "data" / "spots_ml.sqlite").versions
    for number in range(2):
        register_version(
            store,
            root / "artifacts" / "models",
            onnx=onnx_bytes(f"{number}"),
            manifest=make_manifest(f"{number}", f"v1.{number}-synthetic"),
            now=hours(number),
            actor="test",
        )
    return store
