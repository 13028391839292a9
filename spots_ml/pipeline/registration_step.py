"""The last step of the chain: what the steps before left behind becomes a manifest, and the manifest a version."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from spots_ml.errors import ArtifactError
from spots_ml.interactions.learning.fitness import read_verdict
from spots_ml.interactions.learning.validation import read_report
from spots_ml.models.declared import model_spec
from spots_ml.pipeline.model_steps import rows_judged_on
from spots_ml.places import Places
from spots_ml.registry.gates.champion_gate import ChampionFound, against_champion
from spots_ml.registry.gates.decision_gate import EffectFound, answering_now, decision_effect
from spots_ml.registry.published_files import version_directory
from spots_ml.registry.records import ModelVersion
from spots_ml.registry.registration import propose_version, register_version
from spots_ml.registry.version_store import VersionRegistration
from spots_ml.release.certification.certificate import Certificate
from spots_ml.release.documents import environment_versions
from spots_ml.release.latency.report import LatencyReport, load_latency
from spots_ml.release.manifest import ContentDigests, Manifest
from spots_ml.release.onnx.graph import named_trained_model
from spots_ml.release.onnx.kept_files import load_onnx
from spots_ml.release.onnx.predictor import UNHURRIED_S, OnnxPredictor
from spots_ml.scoring.served import ServedModel
from spots_ml.training.trained_model import TrainedModel, load_trained_model


@dataclass(frozen=True)
class VersionRegistered:
    """What came of registering.

    Attributes:
        version: The row of the registry.
        created: Whether it is new; False when the same content was registered before.
        manifest: What it is and why it may ship.
        directory: Its published files.
    """

    version: ModelVersion
    created: bool
    manifest: Manifest
    directory: Path

    @property
    def digest(self) -> str:
        """Identity of the version's content."""
        return self.version.content_digest


def register_model(
    places: Places,
    store: VersionRegistration,
    *,
    trained_digest: str,
    onnx_digest: str,
    latency_digest: str,
    now: datetime,
    actor: str,
) -> VersionRegistered:
    """Assemble the manifest from what the steps left behind, publish the files, register.

    Args:
        places: Where the parts lie, and versions are published.
        store: The registry.
        trained_digest: The trained model.
        onnx_digest: Its certified file.
        latency_digest: The latency report about that file.
        now: The present (UTC).
        actor: Who registers.

    Returns:
        The version; the same content again gives the same version.

    Raises:
        GateError: When a verdict is missing or negative; nothing is published.
        ArtifactError: When a part is missing or damaged, or the parts do not belong together.
        RegistryError: When the version's name belongs to other content.
    """
    onnx, certificate = load_onnx(places.onnx_dir, onnx_digest)
    latency = load_latency(places.benchmarks_dir, latency_digest)
    model = load_trained_model(places.trained_dir, trained_digest)
    if (named := named_trained_model(onnx)) != model.digest:
        raise ArtifactError(
            f"the ONNX file {onnx_digest[:12]} was written from the trained model {named and named[:12]}, and the one "
            f"to register is {model.digest[:12]}; materialise onnx_model again"
        )
    version = propose_version(
        store,
        places.models_dir,
        model_type=model.model_type,
        content_digest=model.digest,
        source_kind=model.kind,
    )
    proof = _prove(places, store, model, onnx, version)
    manifest = _assemble(places, model, certificate, latency, proof, version=version, now=now)
    registration = register_version(store, places.models_dir, onnx=onnx, manifest=manifest, now=now, actor=actor)
    row = registration.version
    directory = version_directory(places.models_dir, row.model_type, row.version)
    return VersionRegistered(row, registration.created, manifest, directory)


@dataclass(frozen=True)
class _Proof:
    """What is measured at registration, beside what answers then."""

    effect: EffectFound
    champion: ChampionFound


def _prove(places: Places, store: VersionRegistration, model: TrainedModel, onnx: bytes, version: str) -> _Proof:
    """Measure on the test rows what the version does to the decision, and whether it is worse than the active one."""
    rows = rows_judged_on(places, model.document)
    predictor = OnnxPredictor(onnx, model.model_type, time_limit_s=UNHURRIED_S)
    effect = decision_effect(
        model.model_type,
        ServedModel(version, predictor),
        answering_now(store, places.models_dir),
        rows,
        n_resamples=model.document.config.n_resamples,
        seed=model.seed,
    )
    champion = against_champion(
        store,
        places.models_dir,
        model.model_type,
        predictor,
        rows,
        n_resamples=model.document.config.n_resamples,
        seed=model.seed,
    )
    return _Proof(effect, champion)


def _assemble(
    places: Places,
    model: TrainedModel,
    certificate: Certificate,
    latency: LatencyReport,
    proof: _Proof,
    *,
    version: str,
    now: datetime,
) -> Manifest:
    """Write down what a version is and why it may ship; parts that do not belong together are refused."""
    if latency.onnx_digest != certificate.onnx_digest:
        raise ArtifactError(
            f"the latency report is about the file {latency.onnx_digest[:12]}, the certificate about "
            f"{certificate.onnx_digest[:12]}; materialise latency_benchmark again"
        )
    document = model.document
    report = read_report(places.datasets_dir, document.dataset_digest)
    return Manifest(
        model_type=document.model_type,
        version=version,
        created_at=now,
        source_kind=document.kind,
        source=report.description,
        watermark=report.watermark,
        n_labelled=report.n_labelled,
        n_rows_by_split=document.n_rows_by_split,
        split_sizes=document.split_sizes,
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
            read_verdict(places.datasets_dir, report.digest),
            model.verdict,
            certificate.verdict(),
            latency.verdict(),
            proof.effect.verdict,
            proof.champion.verdict,
        ),
        certificate=certificate,
        latency=latency,
        ir_version=certificate.static.ir_version or 0,
        opset=certificate.static.opset or 0,
        size_bytes=certificate.size_bytes,
        inputs=model_spec(document.model_type).inputs,
        ignored_inputs=document.ignored_inputs,
        environment=environment_versions(),
        confidence=document.confidence,
        filter_on=proof.effect.filter_on,
        decision=None if proof.effect.report is None else proof.effect.report.model_dump(mode="json"),
        champion=None if proof.champion.comparison is None else proof.champion.comparison.model_dump(mode="json"),
    )
