"""A trained model and all that is known about it, as one value, and as files that are checked on reading.

On disk: `<digest>/weights.safetensors` and `<digest>/model.json`. How it comes about is in `model`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save

from spots_ml.digests import canonical_json, digest_bytes
from spots_ml.errors import ArtifactError, ContractError
from spots_ml.features.contract import CONTRACT_DIGEST
from spots_ml.files import publish_directory, write_whole
from spots_ml.interactions.kinds import SourceKind
from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.interactions.learning.split_rules import NO_CAPS, SplitRules, SplitSizes
from spots_ml.interactions.learning.splits import split_rows
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.scoring.confidence import ConfidenceProfile
from spots_ml.training.config import TrainingConfig
from spots_ml.training.evaluation import Evaluation
from spots_ml.training.fit import Epoch
from spots_ml.training.moments import blocks
from spots_ml.training.network import ScoringNetwork
from spots_ml.training.warm.provenance import WarmStart
from spots_ml.troubles import raise_unless_missing
from spots_ml.verdicts import Verdict

GOLDEN_INPUTS = "golden_inputs"
"""Name of the tensor beside the weights."""


class TrainedDocument(BaseModel):
    """What rebuilds and explains the weights; nothing in it depends on when or how fast they were made."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    schema_version: int = Field(default=1, ge=1, le=1, description="Layout of this document.")
    model_type: ModelType
    kind: SourceKind = Field(description="Kind of interactions learned from.")
    seed: int = Field(ge=0, description="Of training, bootstrap and golden inputs.")
    config: TrainingConfig
    config_digest: str
    dataset_digest: str
    contract_digest: str
    weights_digest: str = Field(description="SHA-256 of weights.safetensors.")
    split_digest: str = Field(description="SHA-256 of the part of every row.")
    n_rows_by_split: dict[str, int] = Field(description="Rows in train, validation, test, purged and over a cap.")
    split_sizes: SplitSizes | None = Field(
        default=None,
        exclude_if=lambda sizes: sizes is None,
        description="Agents in each part and the caps they obey; absent from older documents, which had none.",
    )
    ignored_inputs: tuple[str, ...] = Field(description="Inputs constant in training; the network never uses them.")
    best_epoch: int = Field(ge=0, description="0-based; its weights were kept.")
    history: tuple[Epoch, ...]
    calibration_slope: float = Field(gt=0.0)
    calibration_intercept: float
    evaluation: Evaluation
    verdict: Verdict
    warm_start: WarmStart | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="What it learned on from; absent where it was trained from the beginning.",
    )
    confidence: ConfidenceProfile | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="How much it may weigh, row by row; absent from the outcome model and from older documents.",
    )

    @property
    def split_rules(self) -> SplitRules:
        """What its rows were split by."""
        return NO_CAPS if self.split_sizes is None else self.split_sizes.rules

    def content(self) -> bytes:
        """Write the document in its one form.

        Returns:
            Canonical JSON.
        """
        return canonical_json(self.model_dump(mode="json"))


@dataclass(frozen=True)
class TrainedModel:
    """A network with its document.

    Attributes:
        network: Calibrated, without gradients, in evaluation mode.
        golden: `(n_golden, n_inputs)` float32 in [0, 1]; what exports are compared on.
        document: Everything else.
    """

    network: ScoringNetwork
    golden: np.ndarray
    document: TrainedDocument

    @property
    def model_type(self) -> ModelType:
        """Which of the models."""
        return self.document.model_type

    @property
    def kind(self) -> SourceKind:
        """Kind of interactions learned from."""
        return self.document.kind

    @property
    def seed(self) -> int:
        """Seed of the training."""
        return self.document.seed

    @property
    def evaluation(self) -> Evaluation:
        """All predictors on the test rows."""
        return self.document.evaluation

    @property
    def verdict(self) -> Verdict:
        """Verdict of the gate `beats_baselines`."""
        return self.document.verdict

    @property
    def metrics(self) -> dict[str, float]:
        """Headline numbers on the test rows."""
        return self.document.evaluation.headlines()

    @property
    def digest(self) -> str:
        """SHA-256 of the document, which holds that of the weights: identifies all of it."""
        return digest_bytes(self.document.content())

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Let the network answer.

        Args:
            inputs: `(n_rows, n_inputs)` float32 in [0, 1].

        Returns:
            `(n_rows,)` float32 in [0, 1].
        """
        return predict(self.network, inputs)


def predict(network: ScoringNetwork, inputs: np.ndarray) -> np.ndarray:
    """Let a network answer.

    Args:
        network: Calibrated or not.
        inputs: `(n_rows, n_inputs)` float32 in [0, 1].

    Returns:
        `(n_rows,)` float32 in [0, 1].
    """
    return _in_blocks(network, inputs)


def predict_logits(network: ScoringNetwork, inputs: np.ndarray) -> np.ndarray:
    """Let a network say its logits, before calibration.

    Args:
        network: Calibrated or not.
        inputs: `(n_rows, n_inputs)` float32 in [0, 1].

    Returns:
        `(n_rows,)` float32.
    """
    return _in_blocks(network.logits, inputs)


def _in_blocks(function: Callable[[torch.Tensor], torch.Tensor], inputs: np.ndarray) -> np.ndarray:
    """Apply a `(n, n_inputs)` -> `(n, 1)` function: hidden layers of all rows at once would take most of the memory."""
    answers = np.empty(len(inputs), np.float32)
    with torch.inference_mode():
        for block in blocks(len(inputs)):
            aligned = torch.from_numpy(np.ascontiguousarray(inputs[block], dtype=np.float32)).clone()
            answers[block] = function(aligned)[:, 0].numpy()
    return answers


def weights_content(network: ScoringNetwork, golden: np.ndarray) -> bytes:
    """Write weights, preprocessing, calibration and golden inputs.

    Args:
        network: The finished network.
        golden: `(n_golden, n_inputs)` float32.

    Returns:
        A safetensors file; equal values give equal bytes.
    """
    tensors = {name: tensor.detach().contiguous() for name, tensor in network.state_dict().items()}
    return save({**tensors, GOLDEN_INPUTS: torch.from_numpy(golden)})


def split_digest(split: np.ndarray) -> str:
    """Identify which rows a model was fitted, chosen and judged on.

    Args:
        split: `(n_rows,)` part of each row.

    Returns:
        SHA-256.
    """
    return digest_bytes(split.astype(np.int8).tobytes())


def split_of(document: TrainedDocument, rows: LabelledRows) -> np.ndarray:
    """Split rows as in the training of a model: by its seed, and by the rules that it says it was split by.

    Args:
        document: What is known of the model.
        rows: The labelled rows of its dataset.

    Returns:
        `(n_rows,)` int8 part of each row.

    Raises:
        ArtifactError: When these rows do not give the split that the model was trained on.
    """
    split = split_rows(rows.agent, rows.scored_at, seed=document.seed, pairs=rows.pairs(), rules=document.split_rules)
    if document.warm_start is not None:
        split = document.warm_start.purged(split)
    if (found := split_digest(split)) != document.split_digest:
        raise ArtifactError(
            f"the split of the rows has digest {found[:12]}, the {document.model_type} model was trained on "
            f"{document.split_digest[:12]}: these are not its rows; train again"
        )
    return split


def ignored_inputs(network: ScoringNetwork) -> tuple[str, ...]:
    """Name the inputs that the network never uses.

    Args:
        network: With its preprocessing.

    Returns:
        Names in contract order.
    """
    names = model_spec(network.model_type).inputs
    return tuple(name for name, scale in zip(names, network.scale.tolist(), strict=True) if scale == 0.0)


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
        raise_unless_missing(error, path)
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
