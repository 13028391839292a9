"""Which version answers, and opening it so that trouble never stops a score.

Whatever is wrong with a registered version's files becomes a `MissingModel` with its reason; only asking for a version
that does not exist is an error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from spots_ml.errors import ArtifactError, ConfigError
from spots_ml.features.contract import CONTRACT_DIGEST
from spots_ml.models.declared import ModelType, model_in, model_spec
from spots_ml.models.spec import Role
from spots_ml.registry.in_service import active_version, in_service, nothing_active
from spots_ml.registry.published_files import PublishedFilesError, published_files
from spots_ml.registry.records import ModelVersion
from spots_ml.registry.version_store import ServableVersions, VersionFiles, VersionLookup
from spots_ml.release.manifest import Manifest
from spots_ml.release.onnx.predictor import TIME_LIMIT_S, OnnxPredictor
from spots_ml.scoring.arms import Arm
from spots_ml.scoring.fallback import ModelUnavailableError
from spots_ml.scoring.scorer import Scorer
from spots_ml.scoring.served import MissingModel, ServedArm, ServedModel


def serving_version(store: VersionLookup, model_type: ModelType) -> ModelVersion | None:
    """Choose the version that answers when nobody names one.

    Args:
        store: The registry.
        model_type: Which model.

    Returns:
        The active version; None while none is active: what nobody promoted decides about nobody.
    """
    return active_version(store.list_versions(model_type))


def serve_model(
    store: ServableVersions,
    models_dir: Path,
    model_type: ModelType,
    *,
    version: str | None = None,
    by_confidence: bool = False,
    time_limit_s: float = TIME_LIMIT_S,
) -> ServedModel | MissingModel:
    """Open a version, after checking its files against the registry.

    Args:
        store: The registry.
        models_dir: The folder of all published versions.
        model_type: Which model.
        version: Its name, in any status, such as one to be tried; None: see `serving_version`.
        by_confidence: Whether the weight follows the model's confidence, as its manifest describes it.
        time_limit_s: Most seconds per call.

    Returns:
        The model, or why there is none to answer.

    Raises:
        RegistryError: When the version named does not exist.
        ConfigError: When weights by confidence are asked for and the version has no confidence profile.
    """
    row = store.get(model_type, version) if version else serving_version(store, model_type)
    if row is None:
        return MissingModel("no_version", nothing_active(in_service(store, model_type)), filter_on=False)
    if row.contract_digest != CONTRACT_DIGEST:
        detail = f"made for the contract {row.contract_digest[:12]}, in force is {CONTRACT_DIGEST[:12]}; train again"
        return MissingModel("wrong_contract", detail, row.version, filter_on=row.filter_on)
    try:
        onnx, manifest = read_version(store, models_dir, row)
        predictor = OnnxPredictor(onnx, model_type, time_limit_s=time_limit_s)
    except ModelUnavailableError as error:
        return MissingModel(error.reason, error.detail, row.version, filter_on=row.filter_on)
    confidence = manifest.confidence if by_confidence else None
    if by_confidence and confidence is None and model_spec(model_type).has_confidence:
        raise ConfigError(
            f"{model_type} {row.version} has no confidence profile, so its weight cannot follow its confidence; "
            "train it again, or use the fixed weight"
        )
    return ServedModel(row.version, predictor, row.weight, confidence, filter_on=row.filter_on)


def read_version(store: VersionFiles, models_dir: Path, row: ModelVersion) -> tuple[bytes, Manifest]:
    """Read a version's files as `published_files` does, for whoever answers without the model then.

    Args:
        store: The registry.
        models_dir: The folder of all published versions.
        row: The version in the registry.

    Returns:
        The ONNX file and the manifest.

    Raises:
        ModelUnavailableError: `unreadable` or `damaged`.
    """
    try:
        files = published_files(store, models_dir, row)
        return files.onnx, Manifest.from_bytes(files.manifest)
    except PublishedFilesError as error:
        raise ModelUnavailableError(error.reason, str(error)) from error
    except ArtifactError as error:
        raise ModelUnavailableError("damaged", str(error)) from error


def open_scorer(
    store: ServableVersions,
    models_dir: Path,
    *,
    versions: Mapping[ModelType, str | None] | None = None,
    by_confidence: bool = False,
    exploration: float = 0.0,
    challengers: Sequence[Arm] = (),
    salt: str = "",
) -> Scorer:
    """Open a scorer over the registry, with the versions of all arms.

    Args:
        store: The registry.
        models_dir: The folder of all published versions.
        versions: Version by model, where another than the serving one is wanted; None: the serving one.
        by_confidence: Whether the neural weight follows the model's confidence.
        exploration: Share of decisions left to chance.
        challengers: Arms beside the champion's; a kind of model that an arm does not name is the champion's.
        salt: Of the hash that places agents; needed with challengers.

    Returns:
        The scorer; models that cannot answer are in it as `MissingModel`.

    Raises:
        RegistryError: When a version named does not exist.
        ConfigError: When the exploration is out of range, a confidence profile is missing, or the arms do not divide
            the hybrid group.
    """
    named = versions or {}
    neural, outcome_filter = model_in(Role.NEURAL_SCORE).name, model_in(Role.OUTCOME_FILTER).name

    def serve(model_type: str, version: str | None) -> ServedModel | MissingModel:
        confident = by_confidence and model_type == neural
        return serve_model(store, models_dir, model_type, version=version, by_confidence=confident)

    champion = {model_type: serve(model_type, named.get(model_type)) for model_type in (neural, outcome_filter)}
    # One object per version, whichever arms it answers for: a scorer asks it once for all their rows.
    opened = {(model_type, model.version): model for model_type, model in champion.items()}
    served = []
    for arm in challengers:
        models = {}
        for model_type, model in champion.items():
            asked = model_type, arm.versions.get(model_type) or model.version
            if asked not in opened:
                opened[asked] = serve(*asked)
            models[model_type] = opened[asked]
        told = replace(arm, versions={model_type: model.version for model_type, model in models.items()})
        served.append(ServedArm(told, models[neural], models[outcome_filter]))
    return Scorer(champion[neural], champion[outcome_filter], challengers=served, salt=salt, exploration=exploration)
