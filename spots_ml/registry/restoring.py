"""Putting a version's published file back, from the certified bytes that are kept under its digest.

The registry says what the bytes must be, so that nothing changes but the folder. What is taken from a store that keeps
files itself is in `published_files`; a manifest is kept nowhere else, and comes from a backup.
"""

from spots_ml.digests import digest_bytes
from spots_ml.errors import ArtifactError
from spots_ml.files import write_whole
from spots_ml.places import Places
from spots_ml.registry.published_files import ONNX_NAME, published_content, version_directory
from spots_ml.registry.records import ModelVersion
from spots_ml.release.onnx.kept_files import load_onnx


def restorable(version: ModelVersion, places: Places) -> bool:
    """Tell whether the published file is damaged or missing, and the certified bytes are whole.

    Args:
        version: The registry's row.
        places: Where versions and certified files lie.

    Returns:
        Whether `restore_file` puts something back.
    """
    try:
        return _found(version, places) != version.sha256 and bool(load_onnx(places.onnx_dir, version.sha256))
    except ArtifactError:
        return False


def restore_file(version: ModelVersion, places: Places) -> bool:
    """Put the published ONNX file of a version back where it is missing or damaged.

    Args:
        version: The registry's row.
        places: Where versions and certified files lie.

    Returns:
        Whether something was put back; False: the file is as it was registered.

    Raises:
        ArtifactError: When the certified bytes are missing or damaged, or the folder holds a whole version of another
            registry under this name.
    """
    if _found(version, places) == version.sha256:
        return False
    directory = version_directory(places.models_dir, version.model_type, version.version)
    if published_content(directory) is not None:
        raise ArtifactError(
            f"{directory} holds a whole version of another registry; move it away, then restore this one"
        )
    content, _ = load_onnx(places.onnx_dir, version.sha256)
    write_whole(directory / ONNX_NAME, content)
    return True


def _found(version: ModelVersion, places: Places) -> str | None:
    path = version_directory(places.models_dir, version.model_type, version.version) / ONNX_NAME
    return digest_bytes(path.read_bytes()) if path.is_file() else None
