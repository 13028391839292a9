"""What the inputs of a trained model are worth: beside the chain, nothing that ships depends on it."""

from dataclasses import dataclass
from pathlib import Path

from spots_ml.explaining.importance import FeatureImportance, measure_importance
from spots_ml.explaining.importance_files import save_importance
from spots_ml.interactions.learning.validation import load_labelled_rows
from spots_ml.places import Places
from spots_ml.training.trained_model import load_trained_model, split_of


@dataclass(frozen=True)
class ImportanceKept:
    """What the inputs of a model are worth.

    Attributes:
        digest: Identity of the document.
        path: Its file.
        importance: What was measured.
    """

    digest: str
    path: Path
    importance: FeatureImportance


def measure_inputs(places: Places, trained_digest: str, *, n_repeats: int) -> ImportanceKept:
    """Measure what the inputs of a trained model are worth, which trains one more network; keep what was found.

    Args:
        places: Where models and datasets lie, and the document is kept.
        trained_digest: Which model.
        n_repeats: Permutations of the test rows, at least 1.

    Returns:
        What was found.

    Raises:
        ArtifactError: When model or dataset are missing or damaged.
    """
    model = load_trained_model(places.trained_dir, trained_digest)
    _, rows = load_labelled_rows(places.datasets_dir, model.document.dataset_digest)
    found = measure_importance(model, rows, split_of(model.document, rows), n_repeats=n_repeats)
    digest = save_importance(found, places.importance_dir)
    return ImportanceKept(digest, places.importance_dir / f"{digest}.json", found)
