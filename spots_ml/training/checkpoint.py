"""The state of a training under way, on disk after each epoch: whole or absent, and named by the work it belongs to."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from spots_ml.digests import digest_bytes, digest_json
from spots_ml.errors import ArtifactError
from spots_ml.features.contract import CONTRACT_DIGEST
from spots_ml.files import write_whole
from spots_ml.models.declared import ModelType
from spots_ml.training.config import TrainingConfig
from spots_ml.training.network import ScoringNetwork


def work_digest(
    train: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray],
    config: TrainingConfig,
    model_type: ModelType,
    seed: int,
    start: ScoringNetwork | None = None,
) -> str:
    """Identify one training by all that decides its result.

    Args:
        train: Inputs and targets.
        validation: Inputs and targets.
        config: The recipe.
        model_type: Which network.
        seed: Of the training.
        start: The network that it starts from; None: it starts from the beginning.

    Returns:
        SHA-256.
    """
    started = [] if start is None else [digest_bytes(save({k: v.contiguous() for k, v in start.state_dict().items()}))]
    arrays = [digest_bytes(np.ascontiguousarray(array).data) for array in (*train, *validation)]
    return digest_json([arrays, config.digest(), model_type, seed, CONTRACT_DIGEST, *started])


def save_checkpoint(
    directory: Path, work: str, tensors: dict[str, torch.Tensor], history: list[dict[str, object]]
) -> None:
    """Keep the state.

    Args:
        directory: Where; created.
        work: Digest of the work.
        tensors: Weights and optimiser state by name.
        history: The epochs so far, as JSON values.
    """
    content = save({name: tensor.contiguous() for name, tensor in tensors.items()}, {"history": json.dumps(history)})
    write_whole(_path(directory, work), content)


def load_checkpoint(directory: Path, work: str) -> tuple[dict[str, torch.Tensor], list[dict[str, object]]] | None:
    """Find the state of work that was cut off.

    Args:
        directory: Where states are kept; may not exist.
        work: Digest of the work.

    Returns:
        Tensors by name and the epochs so far; None when there is no state of this work. The tensors are copies:
        products of memory that torch did not align differ in the last bit.

    Raises:
        ArtifactError: When the file is damaged.
    """
    path = _path(directory, work)
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as kept:
            history = json.loads(kept.metadata()["history"])
            return {name: kept.get_tensor(name).clone() for name in kept.keys()}, history  # noqa: SIM118
    except (SafetensorError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise ArtifactError(f"the checkpoint {path} is damaged ({error}); remove it and train anew") from error


def remove_checkpoint(directory: Path, work: str) -> None:
    """Drop the state of finished work.

    Args:
        directory: Where states are kept.
        work: Digest of the work; nothing happens when it has no state.
    """
    _path(directory, work).unlink(missing_ok=True)


def _path(directory: Path, work: str) -> Path:
    return directory / f"{work}.safetensors"
