"""Publishing a version: its files first, whole or absent, then the row that makes it exist.

A process killed anywhere in between leaves at most files that no row names; running again finishes with exactly one
version. Published versions lie in `models/<model_type>/<version>/` as `model.onnx` and `manifest.json`.
"""

from datetime import datetime
from pathlib import Path
from typing import Final

from spots_ml.digests import digest_bytes, digest_file
from spots_ml.errors import ArtifactError, ConfigError, RegistryError
from spots_ml.features.contract import CONTRACT_DIGEST, ModelType
from spots_ml.files import exclusive, publish_directory
from spots_ml.interactions.kinds import SourceKind
from spots_ml.registry.gates import require_verdicts
from spots_ml.registry.records import Candidate, Registration, VersionContent
from spots_ml.registry.store import VersionStore
from spots_ml.release.manifest import Manifest
from spots_ml.release.versions import parse_version

ONNX_NAME: Final = "model.onnx"
MANIFEST_NAME: Final = "manifest.json"


def version_directory(models_dir: Path, model_type: ModelType, version: str) -> Path:
    """Name the folder of a published version.

    Args:
        models_dir: The folder of all published versions.
        model_type: The model.
        version: A version name.

    Returns:
        `models_dir/<model_type>/<version>`.

    Raises:
        ConfigError: When the version is not a version name.
    """
    return models_dir / model_type / str(parse_version(version))


def propose_version(
    store: VersionStore, models_dir: Path, *, model_type: ModelType, content_digest: str, source_kind: SourceKind
) -> str:
    """Name a version before it is built, without reserving anything: the name is written into the ONNX file.

    Names of folders that no row knows are passed over, so that nothing published under another registry, or left by a
    killed process, is ever touched; unless they hold this very content, which is then finished under its name.

    Args:
        store: The registry.
        models_dir: The folder of all published versions.
        model_type: The model.
        content_digest: What identifies the trained model.
        source_kind: The kind of data behind it.

    Returns:
        The name this content has already, else the next free one.
    """
    registered = {one.version for one in store.list_versions(model_type)}
    unregistered = _published_names(models_dir / model_type) - registered
    if store.find_content(model_type, content_digest) is None:
        for name in sorted(unregistered, key=parse_version):
            left_over = _content_in(models_dir / model_type / name)
            if left_over is not None and left_over.content_digest == content_digest:
                return name
    return store.propose_version(model_type, content_digest, source_kind, also_taken=unregistered)


def _published_names(directory: Path) -> set[str]:
    names = {entry.name for entry in directory.iterdir()} if directory.is_dir() else set()
    return {name for name in names if _is_version(name)}


def _is_version(name: str) -> bool:
    try:
        parse_version(name)
    except ConfigError:
        return False
    return True


def register_version(
    store: VersionStore, models_dir: Path, *, onnx: bytes, manifest: Manifest, now: datetime, actor: str
) -> Registration:
    """Publish a version's files and register it.

    The same content (`manifest.digests.trained`) again gives the same version: nothing is written but the note that it
    was registered again.

    Args:
        store: The registry.
        models_dir: The folder of all published versions.
        onnx: The file that ships.
        manifest: What it is and what the gates said.
        now: The present (UTC).
        actor: Who registers.

    Returns:
        The registered version, and whether it is new.

    Raises:
        GateError: When a required verdict is missing or negative; nothing is written.
        ArtifactError: When the ONNX file or published files are not what their digests say.
        RegistryError: When the version's name belongs to other content.
    """
    require_verdicts(manifest.model_type, manifest.version, manifest.verdicts)
    _check_file(onnx, manifest)
    with exclusive(models_dir.with_name(f".{models_dir.name}-{manifest.model_type}.lock"), wait=True):
        known = store.find_content(manifest.model_type, manifest.digests.trained)
        if known is not None:
            content: VersionContent = VersionContent.model_validate(
                known.model_dump(include=set(VersionContent.model_fields))
            )
            _require_files(models_dir, content)
        else:
            _require_free(store, manifest)
            content = _publish(models_dir, onnx, manifest)
        candidate = Candidate(content=content, watermark=manifest.watermark, verdicts=manifest.verdicts)
        return store.register(candidate, now=now, actor=actor)


def content_of(manifest: Manifest, manifest_sha256: str) -> VersionContent:
    """Take out of a manifest what the registry keeps in its row.

    Args:
        manifest: The manifest of a version.
        manifest_sha256: SHA-256 of the file it is written in.

    Returns:
        The part of the row that never changes.
    """
    return VersionContent(
        model_type=manifest.model_type,
        version=manifest.version,
        content_digest=manifest.digests.trained,
        sha256=manifest.digests.onnx,
        manifest_sha256=manifest_sha256,
        contract_digest=manifest.digests.contract,
        dataset_digest=manifest.digests.dataset,
        source_kind=manifest.source_kind,
        source=manifest.source,
        n_labelled=manifest.n_labelled,
        metrics=manifest.metrics,
    )


def _check_file(onnx: bytes, manifest: Manifest) -> None:
    problems = []
    if (found := digest_bytes(onnx)) != manifest.digests.onnx:
        problems.append(f"the ONNX file has digest {found}, the manifest says {manifest.digests.onnx}")
    if len(onnx) != manifest.size_bytes:
        problems.append(f"the ONNX file has {len(onnx):,} bytes, the manifest says {manifest.size_bytes:,}")
    if manifest.digests.contract != CONTRACT_DIGEST:
        problems.append(
            f"it was made for the feature contract {manifest.digests.contract[:12]}, in force is {CONTRACT_DIGEST[:12]}"
        )
    if problems:
        raise ArtifactError(
            f"{manifest.model_type} {manifest.version} is not registered: {'; '.join(problems)}; make the model again"
        )


def _require_free(store: VersionStore, manifest: Manifest) -> None:
    taken = {one.version: one for one in store.list_versions(manifest.model_type)}
    if manifest.version in taken:
        raise name_taken(
            manifest.model_type, manifest.version, f"content {taken[manifest.version].content_digest[:12]}"
        )


def name_taken(model_type: ModelType, version: str, holder: str) -> RegistryError:
    """Build the error for a name that another model got first.

    Args:
        model_type: The model.
        version: The name.
        holder: What has it.

    Returns:
        The error, to be raised.
    """
    return RegistryError(
        f"the name {version} of {model_type} belongs to something else by now ({holder}); "
        "materialise onnx_model again: it is built with the next free name"
    )


def _publish(models_dir: Path, onnx: bytes, manifest: Manifest) -> VersionContent:
    """Put the files in place; files that a killed process left are used when they are this very model."""
    directory = version_directory(models_dir, manifest.model_type, manifest.version)
    content = manifest.to_bytes()
    if directory.exists():
        left_over = _content_in(directory)
        if left_over is None or not _same_file(left_over, manifest):
            raise name_taken(manifest.model_type, manifest.version, f"unregistered files in {directory}")
        return left_over

    def fill(target: Path) -> None:
        (target / ONNX_NAME).write_bytes(onnx)
        (target / MANIFEST_NAME).write_bytes(content)

    publish_directory(directory, fill)
    return content_of(manifest, digest_bytes(content))


def _same_file(left_over: VersionContent, manifest: Manifest) -> bool:
    """Whether this is the very model and file; what was measured on a clock, or said of the source, may differ."""
    expected = (manifest.model_type, manifest.version, manifest.digests.trained, manifest.digests.onnx)
    return (left_over.model_type, left_over.version, left_over.content_digest, left_over.sha256) == expected


def _content_in(directory: Path) -> VersionContent | None:
    """Read whole, undamaged published files; None when there are none."""
    onnx = directory / ONNX_NAME
    try:
        manifest = Manifest.from_file(directory / MANIFEST_NAME)
    except ArtifactError:
        return None
    if not onnx.is_file() or digest_file(onnx) != manifest.digests.onnx:
        return None
    return content_of(manifest, digest_file(directory / MANIFEST_NAME))


def _require_files(models_dir: Path, content: VersionContent) -> None:
    """Insist that a registered version's files are what its row says."""
    directory = version_directory(models_dir, content.model_type, content.version)
    if _content_in(directory) == content:
        return
    state = "are damaged" if directory.exists() else "are missing"
    raise ArtifactError(
        f"{content.model_type} {content.version} is registered with this content, but its files in {directory} "
        f"{state}; "
        f"restore {ONNX_NAME} ({content.sha256[:12]}) and {MANIFEST_NAME} ({content.manifest_sha256[:12]}) from a "
        "backup, or train with another seed for a version of its own"
    )
