"""Collects a version's manifest from what the steps of the chain left behind."""

from spots_ml.defs.resources import Platform
from spots_ml.errors import ArtifactError
from spots_ml.interactions.learning.fitness import read_verdict
from spots_ml.interactions.learning.validation import read_report
from spots_ml.models.declared import model_spec
from spots_ml.registry.registration import propose_version
from spots_ml.release.certification.certificate import Certificate
from spots_ml.release.environment import environment_versions
from spots_ml.release.latency.report import LatencyReport
from spots_ml.release.manifest import ContentDigests, Manifest
from spots_ml.training.trained_model import TrainedModel


def assemble_manifest(
    platform: Platform, *, model: TrainedModel, certificate: Certificate, latency: LatencyReport, onnx: bytes
) -> Manifest:
    """Write down what a version is and why it may ship.

    Args:
        platform: Where datasets and versions are kept.
        model: The trained model.
        certificate: Of the ONNX file.
        latency: Of the ONNX file.
        onnx: The ONNX file.

    Returns:
        The manifest, under the name that the ONNX file carries.

    Raises:
        ArtifactError: When the parts do not belong together.
    """
    document = model.document
    report = read_report(platform.places.datasets_dir, document.dataset_digest)
    if latency.onnx_digest != certificate.onnx_digest:
        raise ArtifactError(
            f"the latency report is about the file {latency.onnx_digest[:12]}, the certificate about "
            f"{certificate.onnx_digest[:12]}; materialise latency_benchmark again"
        )
    version = propose_version(
        platform.store(),
        platform.places.models_dir,
        model_type=document.model_type,
        content_digest=model.digest,
        source_kind=document.kind,
    )
    return Manifest(
        model_type=document.model_type,
        version=version,
        created_at=platform.now(),
        source_kind=document.kind,
        source=report.description,
        watermark=report.watermark,
        n_labelled=report.n_labelled,
        n_rows_by_split=document.n_rows_by_split,
        seed=document.seed,
        digests=ContentDigests(
            snapshot=report.snapshot_digest,
            dataset=report.digest,
            contract=document.contract_digest,
            config=document.config_digest,
            weights=document.weights_digest,
            trained=model.digest,
            onnx=certificate.onnx_digest,
        ),
        metrics={**model.metrics, "latency_p99_us": latency.one_row.p99_us},
        evaluation=document.evaluation.model_dump(mode="json"),
        verdicts=(
            read_verdict(platform.places.datasets_dir, report.digest),
            model.verdict,
            certificate.verdict(),
            latency.verdict(),
        ),
        certificate=certificate,
        latency=latency,
        ir_version=certificate.static.ir_version or 0,
        opset=certificate.static.opset or 0,
        size_bytes=len(onnx),
        inputs=model_spec(document.model_type).inputs,
        ignored_inputs=document.ignored_inputs,
        environment=environment_versions(),
        confidence=document.confidence,
    )
