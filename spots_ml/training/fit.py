"""The training loop: rows in, the network of the best epoch out. Interrupted work is continued by `checkpoint`."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from spots_ml.errors import ContractError, InsufficientDataError
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.training.checkpoint import load_checkpoint, remove_checkpoint, save_checkpoint, work_digest
from spots_ml.training.config import TrainingConfig
from spots_ml.training.learner import Learner
from spots_ml.training.moments import BLOCK_ROWS
from spots_ml.training.network import LOSSES, ScoringNetwork

Part = tuple[np.ndarray, np.ndarray]
"""Inputs `(n_rows, n_inputs)` float32 in [0, 1] and targets `(n_rows,)` float32 in [0, 1]."""


class Epoch(BaseModel):
    """One pass over the training rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=0, description="0-based.")
    n_epochs: int = Field(ge=1, description="Most there can be.")
    train_loss: float = Field(description="Cross-entropy over the epoch's batches, without the penalty.")
    validation_loss: float = Field(description="Cross-entropy of the averaged weights on the validation rows.")
    validation_error: float = Field(description="What picks the best epoch: mean squared error, in [0, 1].")
    best: bool = Field(description="Whether no epoch before was better.")

    def __str__(self) -> str:
        mark = ", the best so far" if self.best else ""
        return (
            f"epoch {self.number + 1} of at most {self.n_epochs}: cross-entropy {self.train_loss:.4f} in training, "
            f"{self.validation_loss:.4f} in validation; squared error {self.validation_error:.5f}{mark}"
        )


@dataclass(frozen=True)
class Fit:
    """A trained network.

    Attributes:
        network: Of the best epoch, uncalibrated, without gradients.
        history: Every epoch in order.
        best_epoch: 0-based number of the epoch that was kept.
    """

    network: ScoringNetwork
    history: tuple[Epoch, ...]
    best_epoch: int


def fit(
    train: Part,
    validation: Part,
    config: TrainingConfig,
    *,
    model_type: ModelType,
    seed: int,
    n_extra_inputs: int = 0,
    start: ScoringNetwork | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    checkpoint_dir: Path | None = None,
) -> Fit:
    """Train a network; the same arguments give the same weights, bit by bit.

    The loss is the one that the model declares. Cross-entropy does for a score in [0, 1] as target, too: its minimum is
    the conditional mean, and unlike the squared error it keeps pulling where the sigmoid is flat.
    The epoch with the least squared error on the validation rows (the Brier score of a classifier) is kept.

    Args:
        train: Inputs and targets to learn from; not changed.
        validation: Inputs and targets that pick the epoch.
        config: The recipe.
        model_type: Which network.
        seed: Of the starting weights and of the order of rows, 0 or more.
        n_extra_inputs: Columns after those of the contract, such as the probe of `importance`; each starts with a unit
            of its own, as the inputs of the contract do.
        start: The network to learn on from, with its own preprocessing; None: from the beginning.
        on_epoch: Called after each epoch; what it raises ends the training.
        checkpoint_dir: Where to keep the state after each epoch. Work that was cut off there, with the same rows,
            recipe and seed, goes on where it stood and ends with the same weights. Left clean at the end.

    Returns:
        The network of the best epoch, and the course of training.

    Raises:
        InsufficientDataError: When one of the parts has no rows.
        ContractError: When the inputs have another width than the model and its extra inputs.
        ArtifactError: When a checkpoint of this very work is damaged.
    """
    for name, (inputs, _) in (("training", train), ("validation", validation)):
        if len(inputs) == 0:
            raise InsufficientDataError(f"the {name} part has no rows; expected some: collect more interactions")
        if inputs.shape[1] != (expected := model_spec(model_type).n_inputs + n_extra_inputs):
            raise ContractError(f"the {name} part has {inputs.shape[1]} inputs; expected {expected} for {model_type}")
    with _one_thread():
        run = _Run(train, validation, config, model_type, seed, start)
        work = work_digest(train, validation, config, model_type, seed, start) if checkpoint_dir else ""
        del train, validation, inputs  # what was standardised is learned from: a caller that keeps no rows, frees them
        if checkpoint_dir:
            run.restore(load_checkpoint(checkpoint_dir, work))
        while not run.done:
            epoch = run.advance()
            if checkpoint_dir:
                save_checkpoint(checkpoint_dir, work, run.state(), [past.model_dump() for past in run.history])
            if on_epoch:
                on_epoch(epoch)
        result = Fit(run.learner.fold(run.best), tuple(run.history), run.best_epoch)
    if checkpoint_dir:
        remove_checkpoint(checkpoint_dir, work)
    return result


class _Run:
    def __init__(
        self,
        train: Part,
        validation: Part,
        config: TrainingConfig,
        model_type: ModelType,
        seed: int,
        start: ScoringNetwork | None,
    ) -> None:
        self.config, self.seed = config, seed
        self.loss = LOSSES[model_spec(model_type).loss]
        self.learner = Learner(model_type, train[0], train[1], config, seed, start)
        self.train = (self.learner.standardise(train[0]), _column(train[1]))
        self.validation = (self.learner.standardise(validation[0]), _column(validation[1]))
        n_train = len(train[0])
        self.batch_size = max(1, min(config.batch_size, n_train // config.min_steps_per_epoch))
        self.n_steps = -(-n_train // self.batch_size)
        self.rates = [config.learning_rate * config.first_layer_rate, config.learning_rate]
        self.optimizer = torch.optim.Adam(
            [{"params": self.learner.parameters[:2]}, {"params": self.learner.parameters[2:]}], fused=True
        )
        self.average = [parameter.detach().clone() for parameter in self.learner.parameters]
        self.best = [parameter.clone() for parameter in self.average]
        self.history: list[Epoch] = []

    @property
    def best_epoch(self) -> int:
        return max((epoch.number for epoch in self.history if epoch.best), default=-1)

    @property
    def done(self) -> bool:
        n_done = len(self.history)
        return n_done > 0 and (n_done >= self.config.max_epochs or n_done - 1 - self.best_epoch >= self.config.patience)

    def advance(self) -> Epoch:
        number = len(self.history)
        order = torch.from_numpy(np.random.default_rng([self.seed, 2, number]).permutation(len(self.train[0])))
        losses = [
            self._step(number * self.n_steps + step, batch, target) * len(batch)
            for step, (batch, target) in enumerate(self._batches(order))
        ]
        with torch.no_grad():
            logits = [self.learner.logits(self.average, block) for block in self.validation[0].split(BLOCK_ROWS)]
            answers = torch.sigmoid(torch.cat(logits))
            error = float((answers - self.validation[1]).square().mean())
            loss = float(self.loss.of_answers(answers, self.validation[1]))
        best = all(error < past.validation_error for past in self.history)
        if best:
            self.best = [parameter.clone() for parameter in self.average]
        epoch = Epoch(
            number=number,
            n_epochs=self.config.max_epochs,
            train_loss=float(torch.stack(losses).sum()) / len(order),
            validation_loss=loss,
            validation_error=error,
            best=best,
        )
        self.history.append(epoch)
        return epoch

    def _batches(self, order: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Gather the rows of many batches at once, but not all of them."""
        for rows in order.split(self.batch_size * max(1, BLOCK_ROWS // self.batch_size)):
            inputs, targets = self.train[0][rows], self.train[1][rows]
            yield from zip(inputs.split(self.batch_size), targets.split(self.batch_size), strict=True)

    def _step(self, step: int, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        progress, warmup = step / (self.n_steps * self.config.max_epochs), self.config.warmup_share
        height = progress / warmup if progress < warmup else (1 - progress) / (1 - warmup)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * height
        loss = self.loss.of_logits(self.learner.logits(self.learner.parameters, inputs), targets)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.learner.add_price()
        self.optimizer.step()
        pace = max(1 - self.config.weight_average_decay, 1 / (step + 2))
        with torch.no_grad():
            torch._foreach_lerp_(self.average, self.learner.parameters, pace)
        return loss.detach()

    def state(self) -> dict[str, torch.Tensor]:
        lists = {"parameter": self.learner.parameters, "average": self.average, "best": self.best}
        tensors = {f"{name}.{i}": tensor.detach() for name, values in lists.items() for i, tensor in enumerate(values)}
        for i, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{i}.{name}": value for name, value in moments.items()}
        return tensors

    def restore(self, kept: tuple[dict[str, torch.Tensor], list[dict[str, object]]] | None) -> None:
        if kept is None:
            return
        tensors, history = kept
        with torch.no_grad():
            for i, parameter in enumerate(self.learner.parameters):
                parameter.copy_(tensors[f"parameter.{i}"])
        n_parameters = len(self.average)
        self.average = [tensors[f"average.{i}"] for i in range(n_parameters)]
        self.best = [tensors[f"best.{i}"] for i in range(n_parameters)]
        moments = ("step", "exp_avg", "exp_avg_sq")
        state = {i: {name: tensors[f"adam.{i}.{name}"] for name in moments} for i in range(n_parameters)}
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})
        self.history = [Epoch.model_validate(epoch) for epoch in history]


def _column(targets: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(targets, dtype=np.float32))[:, None]


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Sums are taken in one order only, and small batches are faster so."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
