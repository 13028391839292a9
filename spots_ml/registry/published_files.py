"""The files of a registered version: `models/<model_type>/<version>/` with `model.onnx` and `manifest.json`.

A store that keeps files itself has them, too: what is missing or damaged here comes back from there, so that a machine
which never trained anything can score. Who asks for a version's files asks `published_files`; how they get there in the
first place is in `registration`.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from spots_ml.digests import digest_bytes
from spots_ml.errors import ArtifactError, MachineError, SpotsMLError
from spots_ml.files import publish_directory, write_whole
from spots_ml.models.declared import ModelType
from spots_ml.registry.records import VersionContent
from spots_ml.registry.version_store import VersionFiles
from spots_ml.release.manifest import Manifest, parse_version
from spots_ml.troubles import raise_unless_missing

ONNX_NAME: Final = "model.onnx"
MANIFEST_NAME: Final = "manifest.json"


@dataclass(frozen=True)
class PublishedFiles:
    """The two files of a version.

    Attributes:
        onnx: The bytes of `model.onnx`.
        manifest: The bytes of `manifest.json`.
    """

    onnx: bytes
    manifest: bytes

    def by_name(self) -> dict[str, bytes]:
        """Name the files.

        Returns:
            Their bytes by file name.
        """
        return {ONNX_NAME: self.onnx, MANIFEST_NAME: self.manifest}


class PublishedFilesError(ArtifactError):
    """The files of a registered version are neither here nor in the store as they were registered.

    Args:
        reason: `unreadable` when one is missing, else `damaged`.
        message: What was found, and what to do.
    """

    def __init__(self, reason: Literal["unreadable", "damaged"], message: str) -> None:
        super().__init__(message)
        self.reason = reason


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


def published_files(store: VersionFiles, models_dir: Path, version: VersionContent) -> PublishedFiles:
    """Read a version's files, and insist that they are those that were registered.

    Files that are missing or damaged are taken from the store, and put into the folder for the next time where it can
    be written. A folder that holds a whole version of another registry under this name is left as it is.

    Args:
        store: The registry.
        models_dir: The folder of all published versions.
        version: The version in the registry.

    Returns:
        The files.

    Raises:
        PublishedFilesError: When neither the folder nor the store has them; every problem is told.
    """
    directory = version_directory(models_dir, version.model_type, version.version)
    found = _read(directory, version)
    if isinstance(found, PublishedFiles):
        return found
    try:
        fetched = store.fetch_files(version)
        remedy = "restore them from a backup, or train with another seed for a version of its own"
    except SpotsMLError as error:
        fetched, remedy = None, f"the store's copies do not help: {error}"
    if fetched is None:
        raise PublishedFilesError(
            found.reason, f"the files of {version.model_type} {version.version} cannot be used: {found}; {remedy}"
        ) from found
    files = PublishedFiles(*fetched)
    with contextlib.suppress(OSError, MachineError):
        _put_back(directory, files)
    return files


def published_content(directory: Path) -> tuple[Manifest, PublishedFiles] | None:
    """Read a published version without asking what it should be.

    Args:
        directory: The folder of a version.

    Returns:
        Its manifest and its files; None when they are not whole or not what the manifest says.
    """
    try:
        files = PublishedFiles(*((directory / name).read_bytes() for name in (ONNX_NAME, MANIFEST_NAME)))
        manifest = Manifest.from_bytes(files.manifest)
    except (OSError, ArtifactError) as error:
        raise_unless_missing(error, directory)
        return None
    return (manifest, files) if digest_bytes(files.onnx) == manifest.digests.onnx else None


def publish_files(directory: Path, files: PublishedFiles) -> None:
    """Put a version's files in place, whole or not at all; a folder that exists is left as it is.

    Args:
        directory: The folder of the version.
        files: Its files.

    Raises:
        MachineError: When it cannot be written.
    """

    def fill(target: Path) -> None:
        for name, content in files.by_name().items():
            (target / name).write_bytes(content)

    publish_directory(directory, fill)


def _read(directory: Path, version: VersionContent) -> PublishedFiles | PublishedFilesError:
    registered = {ONNX_NAME: version.sha256, MANIFEST_NAME: version.manifest_sha256}
    missing, damaged, files = [], [], []
    for name, expected in registered.items():
        path = directory / name
        try:
            content = path.read_bytes()
        except OSError as error:
            missing.append(f"{path} cannot be read ({error.strerror})")
            continue
        files.append(content)
        if (digest := digest_bytes(content)) != expected:
            damaged.append(f"{path} is damaged, it has the digest {digest[:12]}, registered is {expected[:12]}")
    if missing or damaged:
        return PublishedFilesError("unreadable" if missing else "damaged", "; ".join([*missing, *damaged]))
    return PublishedFiles(*files)


def _put_back(directory: Path, files: PublishedFiles) -> None:
    if published_content(directory) is not None:
        return  # Another registry's, perhaps of the same model: that one may keep its files nowhere else.
    publish_files(directory, files)
    for name, content in files.by_name().items():
        if not (directory / name).is_file() or (directory / name).read_bytes() != content:
            write_whole(directory / name, content)
