"""A whole chain in one call, from a source to registered versions, for whoever has no use for a run history.

The orchestrator runs the same steps one by one (`defs.assets`); what a person starts goes through it, so that it is
seen. A negative verdict stops what follows it for that model, as a blocking check does there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from spots_ml.errors import GateError, SpotsMLError
from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.kinds import Source
from spots_ml.interactions.learning.fitness import SufficiencyConfig
from spots_ml.models.declared import ModelType, declared_types
from spots_ml.pipeline.data_steps import (
    DatasetBuilt,
    Expectations,
    SnapshotTaken,
    Sources,
    import_training,
    make_dataset,
    take_snapshot,
)
from spots_ml.pipeline.learned_rows import model_to_start_from
from spots_ml.pipeline.model_steps import (
    LatencyMeasured,
    ModelExported,
    ModelTrained,
    benchmark_latency,
    export_model,
    train,
)
from spots_ml.pipeline.registration_step import VersionRegistered, register_model
from spots_ml.places import Places
from spots_ml.registry.version_store import VersionRegistration
from spots_ml.release.latency.report import LatencyConfig
from spots_ml.training.config import TrainingConfig
from spots_ml.verdicts import Verdict


@dataclass(frozen=True)
class ChainConfig:
    """How a chain is run.

    Attributes:
        source: Where the interactions come from.
        sources: What the sources need.
        runtimes: Interpreters that certify, by runtime name.
        validation: How strictly rows are judged.
        sufficiency: How many labels are enough.
        training: The recipe.
        latency: How the speed is measured and what is asked of it, as `benchmark_latency` takes it.
        seed: Of split and training, 0 or more.
    """

    source: Source
    sources: Sources
    runtimes: Mapping[str, Path]
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    sufficiency: SufficiencyConfig = field(default_factory=SufficiencyConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    latency: LatencyConfig | None = None
    seed: int = 0


@dataclass(frozen=True)
class ModelOutcome:
    """How far one model came.

    Attributes:
        model_type: Which model.
        trained: The trained model; None: it could not be trained.
        exported: Its ONNX file; None: not reached.
        measured: How fast that is; None: not reached.
        registered: Its version; None: there is none.
        refusal: Why it went no further, in a sentence; None: it is registered.
    """

    model_type: ModelType
    trained: ModelTrained | None = None
    exported: ModelExported | None = None
    measured: LatencyMeasured | None = None
    registered: VersionRegistered | None = None
    refusal: str | None = None


@dataclass(frozen=True)
class ChainResult:
    """What a chain led to.

    Attributes:
        snapshot: What was read.
        dataset: What was learned from.
        models: One outcome per model, in the order asked for.
    """

    snapshot: SnapshotTaken
    dataset: DatasetBuilt
    models: tuple[ModelOutcome, ...]


def run_chain(
    places: Places,
    store: VersionRegistration,
    config: ChainConfig,
    model_types: Sequence[ModelType] | None = None,
    *,
    clock: Callable[[], datetime],
    actor: str,
    expectations: Expectations | None = None,
) -> ChainResult:
    """Run the whole chain for one model or more.

    Args:
        places: Where everything is kept.
        store: The registry.
        config: How it is run.
        model_types: The models, one after the other on the same dataset; None: every kind there is.
        clock: Tells the present, with a time zone.
        actor: Who registers.
        expectations: As `make_dataset` takes them.

    Returns:
        What came out; a model that was refused is told, and the next one goes on.

    Raises:
        SpotsMLError: When the source cannot be read or there is no dataset that is fit to learn from.
    """
    snapshot = take_snapshot(places, config.source, config.sources)
    dataset = make_dataset(
        places,
        snapshot.digest,
        now=clock(),
        validation=config.validation,
        sufficiency=config.sufficiency,
        expectations=expectations,
        meanwhile=import_training,
    )
    dataset.require_fit()
    wanted = declared_types() if model_types is None else model_types
    outcomes = (_run_model(places, store, config, dataset.digest, one, clock, actor) for one in wanted)
    return ChainResult(snapshot, dataset, tuple(outcomes))


def _run_model(
    places: Places,
    store: VersionRegistration,
    config: ChainConfig,
    dataset_digest: str,
    model_type: ModelType,
    clock: Callable[[], datetime],
    actor: str,
) -> ModelOutcome:
    trained = exported = measured = registered = None
    refusal: str | None = None
    try:
        warm = config.training.warm_start
        start = model_to_start_from(store.list_versions(model_type), config.training) if warm else None
        trained = train(places, dataset_digest, model_type, config.training, seed=config.seed, start=start)
        _require(trained.verdict)
        exported = export_model(places, store, trained.digest, runtimes=config.runtimes)
        _require(exported.verdict)
        measured = benchmark_latency(places, exported.digest, config.latency)
        _require(measured.verdict)
        registered = register_model(
            places,
            store,
            trained_digest=trained.digest,
            onnx_digest=exported.digest,
            latency_digest=measured.digest,
            now=clock(),
            actor=actor,
        )
    except SpotsMLError as error:
        refusal = str(error)
    return ModelOutcome(model_type, trained, exported, measured, registered, refusal)


def _require(verdict: Verdict) -> None:
    if not verdict.passed:
        raise GateError(f"gate {verdict.gate!r} failed: {verdict.message}")
