"""Which rows are of agents that a trained model learned from, itself or by what it started from; and warm starts."""

from collections.abc import Iterable

import numpy as np

from spots_ml.errors import ArtifactError, ContractError, InsufficientDataError
from spots_ml.estimates.agents import Agents
from spots_ml.interactions.learning.agent_names import labelled_agent_names
from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.interactions.learning.splits import PARTS, TEST, TRAIN, VALIDATION
from spots_ml.interactions.learning.validation import load_labelled_rows
from spots_ml.places import Places
from spots_ml.registry.in_service import active_version
from spots_ml.registry.records import ModelVersion
from spots_ml.training.config import TrainingConfig
from spots_ml.training.trained_model import TrainedDocument, load_trained_model, split_of
from spots_ml.training.warm.origin import WarmOrigin

_LEARNED = (TRAIN, VALIDATION)


def rows_of_learned_agents(places: Places, trained_digest: str, dataset_digest: str, rows: LabelledRows) -> np.ndarray:
    """Tell which rows are of agents that a model trained on, or chose its epoch and calibrated by.

    Args:
        places: Where trained models and datasets lie.
        trained_digest: The model; what it started from counts as well.
        dataset_digest: The dataset that the rows are of.
        rows: Its labelled rows.

    Returns:
        `(n_rows,)` bool. Of a row without an agent of another dataset nobody can say, so it counts as learned from.

    Raises:
        ArtifactError: When a model or a dataset of these is missing or damaged.
    """
    learned = np.zeros(rows.n_rows, bool)
    digest: str | None = trained_digest
    while digest is not None:
        document = load_trained_model(places.trained_dir, digest).document
        learned |= _of_learned_agents(places, document, dataset_digest, rows)
        digest = None if document.warm_start is None else document.warm_start.trained_digest
    return learned


def _of_learned_agents(
    places: Places, document: TrainedDocument, dataset_digest: str, rows: LabelledRows
) -> np.ndarray:
    if document.dataset_digest == dataset_digest:
        return np.isin(rows.agent, rows.agent[np.isin(split_of(document, rows), _LEARNED)])
    _, others = load_labelled_rows(places.datasets_dir, document.dataset_digest)
    part = split_of(document, others)
    theirs = labelled_agent_names(places.datasets_dir, document.dataset_digest)[np.isin(part, _LEARNED)]
    learned = set(theirs.tolist())
    names = labelled_agent_names(places.datasets_dir, dataset_digest).tolist()
    return np.array([name is None or name in learned for name in names], bool)


def model_to_start_from(versions: Iterable[ModelVersion], config: TrainingConfig) -> str | None:
    """Tell what a training starts from.

    Args:
        versions: All versions of the model.
        config: The recipe.

    Returns:
        The digest of the trained model behind the active version; None where the recipe has no warm start, and while no
        version is active: the first one is trained from the beginning.
    """
    active = active_version(versions) if config.warm_start else None
    return None if active is None else active.content_digest


def warm_origin(places: Places, trained_digest: str, dataset_digest: str, rows: LabelledRows) -> WarmOrigin:
    """Open what a training starts from.

    Args:
        places: Where trained models and datasets lie.
        trained_digest: The model.
        dataset_digest: The dataset to learn from.
        rows: Its labelled rows.

    Returns:
        The model, with what of the rows it knows.

    Raises:
        ArtifactError: When its files, or the dataset that it learned from, are not on this machine or damaged.
    """
    try:
        model = load_trained_model(places.trained_dir, trained_digest)
        learned = rows_of_learned_agents(places, trained_digest, dataset_digest, rows)
        _, known = load_labelled_rows(places.datasets_dir, model.document.dataset_digest)
    except (ArtifactError, ContractError) as error:
        raise ArtifactError(
            f"a warm start needs the trained model {trained_digest[:12]} and the dataset that it learned from on this "
            f"machine: {error}; bring them here, or train from the beginning (warm_start: false)"
        ) from error
    moments = known.scored_at[~np.isnat(known.scored_at)]
    older = np.isnat(rows.scored_at)
    if len(moments):
        older |= rows.scored_at <= moments.max()
    return WarmOrigin(model, learned, learned & older)


def require_agents(split: np.ndarray, rows: LabelledRows, least: int) -> None:
    """Insist that enough agents are left to choose by and to be judged on, whom nobody learned from.

    Args:
        split: `(n_rows,)` parts after what was learned from is purged.
        rows: The rows.
        least: Fewest agents of a part.

    Raises:
        InsufficientDataError: When there are fewer.
    """
    few = {PARTS[part]: n for part in (VALIDATION, TEST) if (n := Agents.of(rows.agent[split == part]).n) < least}
    if few:
        told = ", ".join(f"{n} in {name}" for name, n in few.items())
        raise InsufficientDataError(
            f"of the agents whom the model to start from has not learned from there are too few ({told}; at least "
            f"{least} each): collect interactions of more agents, or train from the beginning (warm_start: false)"
        )
