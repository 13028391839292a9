"""The steps that make one model: train, export and certify, measure the latency.

Each finds what it builds on by digest, checks it, keeps what it made under its own digest and says what its gate found.
None of them stops at a negative verdict: that is for whoever runs the chain, and for `registration_step`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from spots_ml.errors import ArtifactError
from spots_ml.files import exclusive
from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.interactions.learning.splits import TEST, split_rows
from spots_ml.interactions.learning.validation import load_labelled_rows
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.pipeline.learned_rows import require_agents, warm_origin
from spots_ml.pipeline.made import Entry
from spots_ml.places import Places
from spots_ml.registry.registration import propose_version
from spots_ml.registry.version_store import VersionRegistration
from spots_ml.release.certification.certificate import Certificate
from spots_ml.release.certification.certify import certify, installed
from spots_ml.release.documents import machine
from spots_ml.release.latency.measuring import measure_latency
from spots_ml.release.latency.report import LATENCY_FILE, LatencyConfig, LatencyReport, load_latency, save_latency
from spots_ml.release.onnx.graph import build_onnx, named_trained_model
from spots_ml.release.onnx.kept_files import ONNX_FILE, load_onnx, save_onnx
from spots_ml.training.config import TrainingConfig
from spots_ml.training.fit import Epoch
from spots_ml.training.model import golden_inputs, load_trained_model, save_trained_model, train_model
from spots_ml.training.trained_model import TrainedDocument, TrainedModel, split_of
from spots_ml.training.warm.provenance import without_learned
from spots_ml.verdicts import Verdict


@dataclass(frozen=True)
class ModelTrained:
    """What came of training.

    Attributes:
        digest: Identity of the model.
        model: The model with its evaluation.
        test: The rows it was judged on.
        made_already: Whether it was found, not made now.
    """

    digest: str
    model: TrainedModel
    test: LabelledRows
    made_already: bool = False

    @property
    def verdict(self) -> Verdict:
        """Verdict of the gate `beats_baselines`."""
        return self.model.verdict


def train(
    places: Places,
    dataset_digest: str,
    model_type: ModelType,
    config: TrainingConfig,
    *,
    seed: int,
    start: str | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    anew: bool = False,
) -> ModelTrained:
    """Train one model on a dataset, keep it, judge it; work that was cut off is resumed, and what was made is found.

    Who trains the same model elsewhere is waited for.

    Args:
        places: Where datasets lie, and models and checkpoints are kept.
        dataset_digest: Which dataset.
        model_type: Which model.
        config: The recipe.
        seed: Of split and training, 0 or more.
        start: Digest of the trained model to learn on from, see `learned_rows.model_to_start_from`; None: from the
            beginning.
        on_epoch: Called after each epoch.
        anew: Train although the same was made already.

    Returns:
        The model, whichever way its verdict went; the same arguments give the same model.

    Raises:
        InsufficientDataError: When a part of the split would have too few agents, or its labels do not vary.
        ArtifactError: When the dataset is missing or damaged.
    """
    inputs = {"dataset": dataset_digest, "model": model_type, "config": config.digest(), "seed": seed}
    if start is not None:
        inputs["start"] = start
    entry = Entry(places, "trained_model", inputs)
    with exclusive(places.training_lock(model_type), wait=True):
        report, rows = load_labelled_rows(places.datasets_dir, dataset_digest)
        split = split_rows(rows.agent, rows.scored_at, seed=seed, pairs=rows.pairs(), rules=config.split_rules)
        origin = None if start is None else warm_origin(places, start, dataset_digest, rows)
        if origin is not None:
            split = without_learned(split, origin.learned)
            require_agents(split, rows, config.min_agents_per_part)
        if not anew and (found := entry.find(lambda made: load_trained_model(places.trained_dir, made["digest"]))):
            return ModelTrained(found.digest, found, rows.take(split == TEST), made_already=True)
        model = train_model(
            rows,
            split,
            model_type,
            config,
            seed=seed,
            dataset_digest=dataset_digest,
            kind=report.kind,
            origin=origin,
            on_epoch=on_epoch,
            checkpoint_dir=places.checkpoints_dir(model_type),
        )
        digest = save_trained_model(model, places.trained_dir)
        entry.note({"digest": digest})
    return ModelTrained(digest, model, rows.take(split == TEST))


def rows_judged_on(places: Places, document: TrainedDocument) -> LabelledRows:
    """Give the rows that a trained model was judged on.

    Args:
        places: Where datasets lie.
        document: What is known of the model.

    Returns:
        The rows of the test part.

    Raises:
        ArtifactError: When the dataset is missing or damaged, or is split in another way by now.
    """
    _, rows = load_labelled_rows(places.datasets_dir, document.dataset_digest)
    return rows.take(split_of(document, rows) == TEST)


@dataclass(frozen=True)
class ModelExported:
    """What came of exporting and certifying.

    Attributes:
        digest: Identity of the ONNX file.
        path: The file.
        version: The version name that is written into it.
        trained_digest: The trained model it was made from.
        certificate: What the runtimes found.
        made_already: Whether it was found, not made now.
    """

    digest: str
    path: Path
    version: str
    trained_digest: str
    certificate: Certificate
    made_already: bool = False

    @property
    def verdict(self) -> Verdict:
        """Verdict of the gate `certified`."""
        return self.certificate.verdict()


def export_model(
    places: Places,
    store: VersionRegistration,
    trained_digest: str,
    *,
    runtimes: Mapping[str, Path],
    anew: bool = False,
) -> ModelExported:
    """Write a trained model as one ONNX file, certify its bytes, keep both; a certified one is found.

    Args:
        places: Where trained models lie, and ONNX files are kept.
        store: The registry, which knows the names that are taken.
        trained_digest: Which trained model.
        runtimes: Interpreters by runtime name, as `release.certification.certify` takes them.
        anew: Certify although the same was certified already.

    Returns:
        The file and its certificate, whichever way its verdict went.

    Raises:
        ArtifactError: When the trained model is missing or damaged.
    """
    model = load_trained_model(places.trained_dir, trained_digest)
    version = propose_version(
        store,
        places.models_dir,
        model_type=model.model_type,
        content_digest=trained_digest,
        source_kind=model.kind,
    )
    inputs = {
        "trained": trained_digest,
        "version": version,
        "runtimes": {name: [str(python), *installed(python)] for name, python in runtimes.items()},
    }
    entry = Entry(places, "onnx_model", inputs)
    found = None if anew else entry.find(lambda made: load_onnx(places.onnx_dir, made["digest"])[1])
    if found is not None and found.verdict().passed:
        path = places.onnx_dir / found.onnx_digest / ONNX_FILE
        return ModelExported(found.onnx_digest, path, version, trained_digest, found, made_already=True)
    content = build_onnx(model.network, version=version, trained_digest=trained_digest)
    certificate = certify(
        content,
        model.network,
        golden_inputs(model),
        model_type=model.model_type,
        version=version,
        trained_digest=trained_digest,
        runtimes=runtimes,
    )
    digest = save_onnx(content, certificate, places.onnx_dir)
    entry.note({"digest": digest})
    return ModelExported(digest, places.onnx_dir / digest / ONNX_FILE, version, trained_digest, certificate)


def trained_model_of(places: Places, onnx_digest: str) -> str:
    """Tell from which trained model a certified file was written.

    Args:
        places: Where ONNX files lie.
        onnx_digest: Which file.

    Returns:
        The digest of the trained model.

    Raises:
        ArtifactError: When the file is missing or damaged, or names none.
    """
    content, _ = load_onnx(places.onnx_dir, onnx_digest)
    named = named_trained_model(content)
    if named is None:
        raise ArtifactError(f"the ONNX file {onnx_digest[:12]} names no trained model; materialise onnx_model again")
    return named


@dataclass(frozen=True)
class LatencyMeasured:
    """What came of the latency benchmark.

    Attributes:
        digest: Identity of the report.
        path: Its file.
        onnx_digest: The file that was measured.
        report: What was measured.
        made_already: Whether it was found, not made now.
    """

    digest: str
    path: Path
    onnx_digest: str
    report: LatencyReport
    made_already: bool = False

    @property
    def verdict(self) -> Verdict:
        """Verdict of the gate `latency`."""
        return self.report.verdict()


def benchmark_latency(
    places: Places, onnx_digest: str, config: LatencyConfig | None = None, *, anew: bool = False
) -> LatencyMeasured:
    """Measure how fast a certified file answers, keep the report, judge it; a passed one of this machine is found.

    Args:
        places: Where ONNX files lie, and reports are kept.
        onnx_digest: Which file.
        config: How it is measured and what is asked of it; None: the defaults, and the limit that the model declares.
        anew: Measure although that was done already.

    Returns:
        The report, whichever way its verdict went.

    Raises:
        ArtifactError: When the file is missing or damaged.
    """
    content, certificate = load_onnx(places.onnx_dir, onnx_digest)
    if config is None:
        config = LatencyConfig(limit_p99_us=model_spec(certificate.model_type).latency_limit_us)
    inputs = {"onnx": onnx_digest, "config": config.model_dump(mode="json"), "machine": machine()}
    entry = Entry(places, "latency_benchmark", inputs)
    found = (
        None if anew else entry.find(lambda made: (made["digest"], load_latency(places.benchmarks_dir, made["digest"])))
    )
    if found is not None and found[1].verdict().passed:
        digest, report = found
        path = places.benchmarks_dir / digest / LATENCY_FILE
        return LatencyMeasured(digest, path, onnx_digest, report, made_already=True)
    report = measure_latency(content, config=config)
    digest = save_latency(report, places.benchmarks_dir)
    entry.note({"digest": digest})
    return LatencyMeasured(digest, places.benchmarks_dir / digest / LATENCY_FILE, onnx_digest, report)
