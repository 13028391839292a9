"""Which version answers, and opening it so that trouble never stops a score.

Whatever is wrong with a registered version's files becomes a `MissingModel` with its reason; only asking for a version
that does not exist is an error.
"""

from collections.abc import Mapping, Sequence
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
from spots_ml.scoring.challengers import Challenger
from spots_ml.scoring.fallback import ModelUnavailableError
from spots_ml.scoring.scorer import Scorer
from spots_ml.scoring.served import MissingModel, ServedChallenger, ServedModel


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
    challengers: Sequence[Challenger] = (),
) -> Scorer:
    """Open a scorer over the registry, with the champion's versions and those that are rolled out.

    Args:
        store: The registry.
        models_dir: The folder of all published versions.
        versions: Version by model, where another than the serving one is wanted; None: the serving one. Whoever names
            one stands outside of any rollout.
        by_confidence: Whether the neural weight follows the model's confidence.
        exploration: Share of decisions left to chance.
        challengers: Versions that are rolled out, of any models, at most one of each; those of a model that decides
            nothing are left out.

    Returns:
        The scorer; models that cannot answer are in it as `MissingModel`.

    Raises:
        RegistryError: When a version named does not exist.
        ConfigError: When the exploration is out of range, a confidence profile is missing, or challengers do not go
            together.
    """
    named = versions or {}
    neural, outcome_filter = model_in(Role.NEURAL_SCORE).name, model_in(Role.OUTCOME_FILTER).name

    def serve(model_type: str, version: str | None) -> ServedModel | MissingModel:
        confident = by_confidence and model_type == neural
        return serve_model(store, models_dir, model_type, version=version, by_confidence=confident)

    champion = {model_type: serve(model_type, named.get(model_type)) for model_type in (neural, outcome_filter)}
    served = []
    if not any(named.values()):
        for one in challengers:
            if one.model_type in champion:
                model = champion[one.model_type]
                # One object per version: a scorer asks it once for the rows of all arms that have it.
                same = one.version == model.version
                served.append(ServedChallenger(one, model if same else serve(one.model_type, one.version)))
    return Scorer(champion[neural], champion[outcome_filter], challengers=served, exploration=exploration)
