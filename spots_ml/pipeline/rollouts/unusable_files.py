"""Whether a version's files are lost for good, or only out of reach of this machine.

What answers is taken back for the first alone: a folder that is not mounted, missing rights or a network that is down
say nothing about the version, and the formula stands in meanwhile anyway.
"""

from dataclasses import dataclass
from pathlib import Path

from spots_ml.errors import ArtifactError, SpotsMLError
from spots_ml.registry.published_files import MANIFEST_NAME, ONNX_NAME, version_directory
from spots_ml.registry.records import ModelVersion
from spots_ml.registry.serving import read_version
from spots_ml.registry.version_store import VersionFiles
from spots_ml.scoring.fallback import ModelUnavailableError


@dataclass(frozen=True)
class FileTrouble:
    """A version's files cannot be used.

    Attributes:
        told: What was found, for a person.
        for_good: Whether no machine can use them; false: perhaps only this one cannot.
    """

    told: str
    for_good: bool


def file_trouble(store: VersionFiles, models_dir: Path, row: ModelVersion) -> FileTrouble | None:
    """Read a version's files as who answers with them does, and judge what is wrong.

    Args:
        store: The registry.
        models_dir: The folder of all published versions.
        row: The version.

    Returns:
        The trouble; None when they can be used.
    """
    try:
        read_version(store, models_dir, row)
    except ModelUnavailableError as error:
        told = f"its files are {error.reason}: {error.detail}"
        return FileTrouble(told, _lost(store, models_dir, row))
    return None


def _lost(store: VersionFiles, models_dir: Path, row: ModelVersion) -> bool:
    try:
        kept = store.fetch_files(row)
    except ArtifactError:
        return True  # the store's own copies are missing, or not what was registered
    except SpotsMLError:
        return False
    if kept is not None:
        return False  # whole there: a machine that can write gets them back
    if not models_dir.is_dir():
        return False  # all versions would be gone at once: a disk that is not there
    directory = version_directory(models_dir, row.model_type, row.version)
    for name in (ONNX_NAME, MANIFEST_NAME):
        try:
            (directory / name).read_bytes()
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return True
