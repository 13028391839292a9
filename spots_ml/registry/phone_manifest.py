"""The manifest for phones, of any registry. What is in it is said in `release.phone_manifest`."""

from pathlib import Path

from spots_ml.models.declared import declared_types
from spots_ml.models.spec import Audience
from spots_ml.registry.published_files import ONNX_NAME, published_files, version_directory
from spots_ml.registry.records import ModelVersion
from spots_ml.registry.version_store import PhoneVersions, VersionFiles
from spots_ml.release.manifest import Manifest
from spots_ml.release.phone_manifest import PhoneManifest, PhoneModel, PhoneVersion


def phone_manifest(store: PhoneVersions, models_dir: Path) -> PhoneManifest:
    """Tell what a phone is to use.

    Args:
        store: The registry.
        models_dir: The folder of all published versions.

    Returns:
        The store's own manifest. Of a store that serves no phones the same document, with the path of each file
        under the folder that `models_dir` lies in.

    Raises:
        PublishedFilesError: When the files of a version that phones are given are missing or damaged.
    """
    served = store.phone_manifest()
    if served is not None:
        return served
    versions = store.list_versions()
    active = {one.model_type: one for one in versions if one.status == "active"}
    offered = {one.model_type: one for one in versions if one.status == "staging" and one.traffic > 0.0}
    models = {
        model_type: PhoneModel(
            active=_served(store, models_dir, active.get(model_type)),
            rolling_out=_served(store, models_dir, offered.get(model_type)),
        )
        for model_type in declared_types(Audience.PHONE)
    }
    return PhoneManifest(format_version=1, models=models)


def _served(store: VersionFiles, models_dir: Path, version: ModelVersion | None) -> PhoneVersion | None:
    if version is None:
        return None
    files = published_files(store, models_dir, version)
    path = version_directory(models_dir, version.model_type, version.version) / ONNX_NAME
    return PhoneVersion(
        version=version.version,
        weight=version.weight,
        traffic=version.traffic,
        filter_on=version.filter_on,
        url=path.relative_to(models_dir.parent).as_posix(),
        size_bytes=len(files.onnx),
        sha256=version.sha256,
        contract_digest=version.contract_digest,
        client_runtime_floor=Manifest.from_bytes(files.manifest).certificate.client_runtime_floor,
    )
