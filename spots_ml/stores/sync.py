"""Carrying a registry over into another store: versions with their files, then what became of them.

Status is repeated by `sync_moves`, weight by `sync_settings`.

Every step is one that the target's registry takes itself, and each is taken only where it is still missing: whatever a
killed process left is a valid registry, and running again goes on from there. Versions that the target alone knows are
never touched.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from spots_ml.errors import ArtifactError, CertificationError, GateError, RegistryError
from spots_ml.models.declared import ModelType, declared_types
from spots_ml.registry.published_files import published_files
from spots_ml.registry.records import (
    Candidate,
    HistoryEntry,
    ModelVersion,
    Status,
    VersionContent,
    require_verdicts,
)
from spots_ml.registry.version_store import ServableVersions, VersionStore
from spots_ml.release.manifest import Manifest
from spots_ml.stores.sync_moves import Moves
from spots_ml.stores.sync_settings import repeat_weights

Outcome = Literal["added", "known", "left", "refused"]
"""What happened to a version: registered now, or before; `left`: it is there, and cannot get the status it has in the
source; `refused`: its files or its verdicts are not what a registry takes."""

_REGISTERING: Final = ("registered", "reaffirmed")


@dataclass(frozen=True)
class CarriedVersion:
    """What happened to one version of the source.

    Attributes:
        model_type: The model.
        version: Its name.
        outcome: What happened to it.
        source_status: Its status in the source.
        target_status: Its status in the target now; None: it is not there.
        detail: Why it was refused, or has another status or weight; empty else.
    """

    model_type: ModelType
    version: str
    outcome: Outcome
    source_status: Status
    target_status: Status | None
    detail: str


def carry_over(
    source: ServableVersions, models_dir: Path, target: VersionStore, *, clock: Callable[[], datetime], actor: str
) -> tuple[CarriedVersion, ...]:
    """Register every version of a registry in another one, and bring it to the status it has.

    Versions are registered in the order and at the moments they were in the source, so that the newest stays the newest
    and their age what it is, and without a label watermark, which means nothing elsewhere. Promotions, rollbacks and
    archiving are repeated in their order, at the present moment: a rollback then goes back to the same version.

    Args:
        source: The registry to carry over; it is only read.
        models_dir: The folder of its published versions.
        target: The registry that gets them.
        clock: Tells the present (UTC).
        actor: Who does this, for the history.

    Returns:
        What happened to each version of the source, in the order of their registration.

    Raises:
        RegistryError: When the target has other content under a name, or the content under another name; every such
            name is told and nothing is changed.
        CallError: When the target cannot be reached; running again goes on from there.
    """
    versions = source.list_versions()
    _require_same_names(versions, target.list_versions())
    added: set[tuple[str, str]] = set()
    refused: dict[tuple[str, str], str] = {}
    by_key = {_key(version): version for version in versions}
    for entry in _registrations(source):
        version = by_key[entry.model_type, entry.version]
        if _key(version) in refused:
            continue
        try:
            if _register(source, models_dir, target, version, entry.at, actor):
                added.add(_key(version))
        except (ArtifactError, CertificationError, GateError) as error:
            refused[_key(version)] = str(error)
    not_weighed = repeat_weights(versions, target, clock=clock, actor=actor)
    moves = Moves(source, target, clock=clock, actor=actor)
    standings = {model_type: moves.repeat(model_type) for model_type in declared_types()}
    status = {_key(one): one.status for one in target.list_versions()}

    def tell(one: ModelVersion) -> CarriedVersion:
        standing, now = standings[one.model_type], status.get(_key(one))
        outcome: Outcome = "added" if _key(one) in added else "known"
        detail = not_weighed.get(_key(one), "") if now == one.status else standing.detail
        if _key(one) in refused:
            outcome, detail = "refused", refused[_key(one)]
        elif now != one.status and not standing.in_line:
            outcome = "left"
        return CarriedVersion(one.model_type, one.version, outcome, one.status, now, detail)

    return tuple(map(tell, versions))


def _key(version: VersionContent) -> tuple[str, str]:
    return version.model_type, version.version


def _require_same_names(versions: Iterable[ModelVersion], there: Sequence[ModelVersion]) -> None:
    by_name = {_key(one): one for one in there}
    by_content = {(one.model_type, one.content_digest): one for one in there}
    problems = []
    for one in versions:
        namesake, twin = by_name.get(_key(one)), by_content.get((one.model_type, one.content_digest))
        if namesake is not None and namesake.content_digest != one.content_digest:
            problems.append(
                f"{one.model_type} {one.version} is the content {one.content_digest[:12]} here and "
                f"{namesake.content_digest[:12]} there"
            )
        elif twin is not None and twin.version != one.version:
            problems.append(f"{one.model_type} {one.version} is registered there as {twin.version}")
    if problems:
        raise RegistryError(
            f"the registries do not agree on names, so nothing was carried over: {'; '.join(problems)}; "
            "go on with the versions that are there, or carry over into a project that has none of its own"
        )


def _registrations(source: ServableVersions) -> list[HistoryEntry]:
    """The first and the last registration of each version, in the order of the source's registry."""
    first: dict[tuple[str, str], HistoryEntry] = {}
    last: dict[tuple[str, str], HistoryEntry] = {}
    for entry in source.history():
        if entry.action == "registered" or (entry.action == "reaffirmed" and entry.to_status != "archived"):
            key = entry.model_type, entry.version
            first.setdefault(key, entry)
            last[key] = entry
    told = {entry.sequence: entry for entry in (*first.values(), *last.values())}
    return [told[number] for number in sorted(told)]


def _register(
    source: ServableVersions, models_dir: Path, target: VersionStore, version: ModelVersion, at: datetime, actor: str
) -> bool:
    """Register it as it was at a moment, unless that was done before; whether it is new there."""
    known = target.find_content(version.model_type, version.content_digest)
    if known is not None:
        done = {entry.at for entry in target.history(known.model_type, known.version) if entry.action in _REGISTERING}
        if at in done or at == version.created_at:
            return False
    files = published_files(source, models_dir, version)
    manifest = Manifest.from_bytes(files.manifest)
    verdicts, layout = manifest.verdicts, manifest.schema_version
    require_verdicts(version.model_type, version.version, verdicts, layout=layout)
    content: VersionContent = VersionContent.model_validate(
        (known or version).model_dump(include=set(VersionContent.model_fields))
    )
    candidate = Candidate(
        content=content,
        watermark=None,
        verdicts=verdicts,
        layout=layout,
        file=target.keep_files(content, files.onnx, files.manifest) if known is None else None,
    )
    target.register(candidate, now=at, actor=actor)
    return known is None
