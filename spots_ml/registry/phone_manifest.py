"""The manifest for phones, of any registry. What is in it is said in `release.phone_manifest`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spots_ml.models.declared import declared_types
from spots_ml.models.spec import Audience
from spots_ml.registry.in_service import active_version
from spots_ml.registry.published_files import ONNX_NAME, published_files, version_directory
from spots_ml.registry.records import ModelVersion
from spots_ml.registry.version_store import PhoneVersions, VersionFiles
from spots_ml.release.manifest import Manifest
from spots_ml.release.phone_manifest import PhoneChallenger, PhoneManifest, PhoneModel, PhoneVersion
from spots_ml.scoring.challengers import Challenger


def phone_manifest(store: PhoneVersions, models_dir: Path, *, challengers: Sequence[Challenger] = ()) -> PhoneManifest:
    """Tell what a phone is to use.

    Args:
        store: The registry.
        models_dir: The folder of all published versions.
        challengers: Versions that are rolled out. A store that serves phones knows them itself.

    Returns:
        The store's own manifest. Of a store that serves no phones the same document, with the path of each file
        under the folder that `models_dir` lies in.

    Raises:
        PublishedFilesError: When the files of a version that phones are given are missing or damaged.
        RegistryError: When a challenger is not registered.
    """
    served = store.phone_manifest()
    if served is not None:
        return served
    offered = {one.model_type: one for one in challengers}
    models = {}
    for model_type in declared_types(Audience.PHONE):
        active, challenger = active_version(store.list_versions(model_type)), offered.get(model_type)
        models[model_type] = PhoneModel(
            active=PhoneVersion(**_told(store, models_dir, active)) if active else None,
            rolling_out=_challenging(store, models_dir, challenger) if challenger else None,
        )
    return PhoneManifest(format_version=2, models=models)


def _challenging(store: PhoneVersions, models_dir: Path, challenger: Challenger) -> PhoneChallenger:
    version = _told(store, models_dir, store.get(challenger.model_type, challenger.version))
    drawn = {"weight": challenger.weight, "traffic": challenger.share}
    return PhoneChallenger(
        **(version | drawn), experiment=challenger.experiment, stage=challenger.stage, salt=challenger.salt
    )


def _told(store: VersionFiles, models_dir: Path, version: ModelVersion) -> dict[str, Any]:
    files = published_files(store, models_dir, version)
    path = version_directory(models_dir, version.model_type, version.version) / ONNX_NAME
    return {
        "version": version.version,
        "weight": version.weight,
        "traffic": version.traffic,
        "filter_on": version.filter_on,
        "url": path.relative_to(models_dir.parent).as_posix(),
        "size_bytes": len(files.onnx),
        "sha256": version.sha256,
        "contract_digest": version.contract_digest,
        "client_runtime_floor": Manifest.from_bytes(files.manifest).certificate.client_runtime_floor,
    }
