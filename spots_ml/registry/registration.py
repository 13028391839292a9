"""Publishing a version: its files first, whole or absent, here and in the store, then the row that makes it exist.

A process killed anywhere in between leaves at most files that no row names; running again finishes with exactly one
version. Where the files lie and how they are read is in `published_files`.
"""

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from spots_ml.digests import digest_bytes
from spots_ml.errors import ArtifactError, ConfigError, RegistryError
from spots_ml.features.contract import CONTRACT_DIGEST
from spots_ml.files import exclusive
from spots_ml.interactions.kinds import SourceKind
from spots_ml.models.declared import ModelType
from spots_ml.registry.published_files import (
    PublishedFiles,
    publish_files,
    published_content,
    published_files,
    version_directory,
)
from spots_ml.registry.records import Candidate, Registration, VersionContent, require_verdicts
from spots_ml.registry.version_store import VersionLookup, VersionRegistration
from spots_ml.release.manifest import Manifest, next_version, parse_version


def propose_version(
    store: VersionRegistration, models_dir: Path, *, model_type: ModelType, content_digest: str, source_kind: SourceKind
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
            left_over = published_content(models_dir / model_type / name)
            if left_over is not None and left_over[0].digests.trained == content_digest:
                return name
    return store.propose_version(model_type, content_digest, source_kind, also_taken=unregistered)


def proposed_name(
    store: VersionLookup,
    model_type: ModelType,
    content_digest: str,
    source_kind: SourceKind,
    also_taken: Collection[str],
) -> str:
    """Name a version by what a registry holds: how every store answers `VersionStore.propose_version`.

    Args:
        store: The registry.
        model_type: The model.
        content_digest: What identifies the trained model.
        source_kind: The kind of data behind it.
        also_taken: Names to be passed over although no row has them.

    Returns:
        The name this content has already, else the next free one.
    """
    known = store.find_content(model_type, content_digest)
    if known is not None:
        return known.version
    return next_version([*(one.version for one in store.list_versions(model_type)), *also_taken], source_kind)


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
    store: VersionRegistration, models_dir: Path, *, onnx: bytes, manifest: Manifest, now: datetime, actor: str
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
        ArtifactError: When the ONNX file or published files are not what their digests say, or the store did not keep
            them as they were sent.
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
            files = published_files(store, models_dir, content)
        else:
            _require_free(store, manifest)
            content, files = _publish(models_dir, onnx, manifest)
        candidate = Candidate(
            content=content,
            watermark=manifest.watermark,
            verdicts=manifest.verdicts,
            file=store.keep_files(content, files.onnx, files.manifest),
        )
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
        filter_on=manifest.filter_on,
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


def _require_free(store: VersionLookup, manifest: Manifest) -> None:
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


def _publish(models_dir: Path, onnx: bytes, manifest: Manifest) -> tuple[VersionContent, PublishedFiles]:
    """Put the files in place; files that a killed process left are used when they are this very model."""
    directory = version_directory(models_dir, manifest.model_type, manifest.version)
    files = PublishedFiles(onnx, manifest.to_bytes())
    if directory.exists():
        left_over = published_content(directory)
        if left_over is None or not _same_file(left_over[0], manifest):
            raise name_taken(manifest.model_type, manifest.version, f"unregistered files in {directory}")
        manifest, files = left_over
    publish_files(directory, files)
    return content_of(manifest, digest_bytes(files.manifest)), files


def _same_file(left_over: Manifest, manifest: Manifest) -> bool:
    """Whether this is the very model and file; what was measured on a clock, or said of the source, may differ."""
    expected = (manifest.model_type, manifest.version, manifest.digests.trained, manifest.digests.onnx)
    return (left_over.model_type, left_over.version, left_over.digests.trained, left_over.digests.onnx) == expected
