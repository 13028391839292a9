"""Putting a kit in its folder: whole or not at all; of what was there only the old kit's own files go away."""

import json
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

from spots_ml.digests import canonical_json
from spots_ml.errors import ConfigError
from spots_ml.files import TEMPORARY_PREFIX, publish_directory
from spots_ml.models.declared import declared_types
from spots_ml.release.client_kit.decision_document import KIND
from spots_ml.troubles import trouble_at

DECISION_NAME: Final = "decision.json"
FILES_NAME: Final = "files.json"
"""The list of a kit's files, itself included; nothing else in the folder is the kit's."""
_OF_KITS_WITHOUT_LIST: Final = frozenset(
    {
        *(
            "README.md",
            "check.mjs",
            "check.py",
            DECISION_NAME,
            "golden.jsonl",
            "history.jsonl",
            "package.json",
            "rules.mjs",
            "rules.py",
        ),
        *(f"{model}/{name}" for model in declared_types() for name in ("manifest.json", "model.onnx")),
    }
)


def require_kit_folder(directory: Path, *, force: bool) -> None:
    """Insist on a folder that a kit may be written to.

    Args:
        directory: Absent, empty, or with `force` the folder of a kit.
        force: Whether a kit may be replaced.

    Raises:
        ConfigError: When the folder is taken.
    """
    if not directory.exists() or (directory.is_dir() and not any(directory.iterdir())):
        return
    if not directory.is_dir() or directory.is_symlink():
        raise ConfigError(f"{directory} is not a folder; name a folder that is absent or empty")
    if not force:
        raise ConfigError(
            f"{directory} is not empty; name a folder that is absent or empty, or replace the kit in it with --force"
        )
    if not _is_kit(directory):
        raise ConfigError(
            f"{directory} is not empty and holds no client kit; nothing but a kit is ever replaced: name another folder"
        )


def put_in_place(directory: Path, fill: Callable[[Path], object]) -> None:
    """Publish a kit; the old one goes away only when the new one is whole, and leaves what is not its own.

    Args:
        directory: Its folder; one that `require_kit_folder` accepts.
        fill: Writes the kit's files.

    Raises:
        ConfigError: When a file that is not the old kit's has the name of one of the new one's; nothing was changed.
    """

    def fill_with_rest(target: Path) -> None:
        fill(target)
        names = sorted([*_names(target), FILES_NAME])
        (target / FILES_NAME).write_bytes(canonical_json({"files": names}) + b"\n")
        if directory.is_dir():
            _take_over(directory, target, set(names))

    with trouble_at(directory):
        fresh = publish_directory(_sibling(directory), fill_with_rest)
        old = _sibling(directory)
        try:
            if directory.exists():
                directory.rename(old)
            try:
                fresh.rename(directory)
            except BaseException:
                if old.exists():
                    old.rename(directory)
                raise
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _take_over(old: Path, fresh: Path, names: set[str]) -> None:
    """Give a new kit's folder what is not the old kit's, under a second name, so that no moment is without it."""
    rest = [name for name in _names(old) if name not in _files_of(old)]
    if taken := [name for name in rest if name in names]:
        raise ConfigError(
            f"{old} holds {', '.join(taken)}, not written by a client kit, where the new kit has a file of that name; "
            "move it away, or name another folder"
        )
    for name in rest:
        (fresh / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(old / name, fresh / name, follow_symlinks=False)


def _names(directory: Path) -> list[str]:
    """Name everything below a folder that is no folder itself, links to folders among it."""
    found = directory.rglob("*")
    return sorted(str(path.relative_to(directory)) for path in found if path.is_symlink() or not path.is_dir())


def _files_of(directory: Path) -> frozenset[str]:
    path = directory / FILES_NAME
    if not path.is_file():
        return _OF_KITS_WITHOUT_LIST
    try:
        return frozenset(json.loads(path.read_bytes())["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path} does not say which files are the kit's ({error}); nothing was replaced: name another folder"
        ) from error


def _is_kit(directory: Path) -> bool:
    try:
        document = json.loads((directory / DECISION_NAME).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.get("kind") == KIND


def _sibling(directory: Path) -> Path:
    return directory.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}-{directory.name}")
