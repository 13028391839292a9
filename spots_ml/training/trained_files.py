"""Trained models on disk: `<digest>/weights.safetensors` and `<digest>/model.json`, checked on reading."""

from pathlib import Path

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load

from spots_ml.digests import digest_bytes
from spots_ml.errors import ArtifactError, ContractError
from spots_ml.features.contract import CONTRACT_DIGEST
from spots_ml.files import publish_directory, write_whole
from spots_ml.training.network import ScoringNetwork
from spots_ml.training.trained_model import GOLDEN_INPUTS, TrainedDocument, TrainedModel, weights_content

WEIGHTS_FILE = "weights.safetensors"
DOCUMENT_FILE = "model.json"


def save_trained_model(model: TrainedModel, trained_dir: Path) -> str:
    """Keep a trained model; one that is there already stays as it is.

    Args:
        model: The model.
        trained_dir: Folder of trained models; created.

    Returns:
        Its digest, the name of its folder.

    Raises:
        ArtifactError: When what lies under that name is damaged.
    """
    digest = model.digest

    def fill(directory: Path) -> None:
        write_whole(directory / WEIGHTS_FILE, weights_content(model.network, model.golden))
        write_whole(directory / DOCUMENT_FILE, model.document.content())

    publish_directory(trained_dir / digest, fill)
    load_trained_model(trained_dir, digest)
    return digest


def load_trained_model(trained_dir: Path, digest: str) -> TrainedModel:
    """Read a trained model back.

    Args:
        trained_dir: Folder of trained models.
        digest: Name of the model.

    Returns:
        The model, as it was saved.

    Raises:
        ArtifactError: When it is not there, or any byte of it has changed.
        ContractError: When it was made for another feature contract.
    """
    directory = trained_dir / digest
    document_bytes, weights = _read(directory / DOCUMENT_FILE), _read(directory / WEIGHTS_FILE)
    _compare(directory / DOCUMENT_FILE, document_bytes, digest)
    try:
        document = TrainedDocument.model_validate_json(document_bytes)
    except ValidationError as error:
        raise ArtifactError(
            f"{directory / DOCUMENT_FILE} is not a model of this layout: {error}; train again"
        ) from error
    _compare(directory / WEIGHTS_FILE, weights, document.weights_digest)
    if document.contract_digest != CONTRACT_DIGEST:
        raise ContractError(
            f"{directory} was trained for the feature contract {document.contract_digest[:12]}; "
            f"{CONTRACT_DIGEST[:12]} is in force: train again"
        )
    network = ScoringNetwork(document.model_type)
    try:
        tensors = load(weights)
        golden = tensors.pop(GOLDEN_INPUTS).numpy()
        network.load_state_dict(tensors)
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise ArtifactError(f"{directory / WEIGHTS_FILE} does not fit the network: {error}; train again") from error
    return TrainedModel(network.requires_grad_(False).eval(), golden, document)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"{path} cannot be read ({error.strerror}); expected a trained model: train again"
        ) from error


def _compare(path: Path, content: bytes, expected: str) -> None:
    found = digest_bytes(content)
    if found != expected:
        raise ArtifactError(
            f"{path} has digest {found[:12]}, expected {expected[:12]}: it is damaged; remove "
            f"{path.parent} and train again"
        )
