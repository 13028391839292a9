"""Importances on disk: `<digest>.json`, named by their content and sealed, checked on reading."""

from pathlib import Path

from pydantic import ValidationError

from spots_ml.digests import digest_json, seal, unseal
from spots_ml.errors import ArtifactError
from spots_ml.explaining.importance import FeatureImportance
from spots_ml.files import write_whole
from spots_ml.troubles import raise_unless_missing


def save_importance(importance: FeatureImportance, directory: Path) -> str:
    """Keep importances.

    Args:
        importance: What was measured.
        directory: Folder of all of them; created.

    Returns:
        The digest of the content, which names the file.
    """
    document = importance.model_dump(mode="json")
    digest = digest_json(document)
    write_whole(directory / f"{digest}.json", seal(document))
    return digest


def load_importance(directory: Path, digest: str) -> FeatureImportance:
    """Read importances back.

    Args:
        directory: Folder of all of them.
        digest: Names the document.

    Returns:
        What was saved.

    Raises:
        ArtifactError: When it is not there, damaged, another document or of another layout.
    """
    path = directory / f"{digest}.json"
    try:
        document = unseal(path.read_bytes())
        found = digest_json(document)
        if found != digest:
            raise ArtifactError(f"it holds the document {found[:12]}; measure it again")
        return FeatureImportance.model_validate(document)
    except OSError as error:
        raise_unless_missing(error, path)
        raise ArtifactError(
            f"{path} cannot be read ({error.strerror}); materialise feature_importance again"
        ) from error
    except (ArtifactError, ValidationError) as error:
        raise ArtifactError(f"{path}: {error} (materialise feature_importance)") from error
