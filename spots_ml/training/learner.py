"""The network as it learns: the same function as `ScoringNetwork`, written so that few rows suffice.

The second layer reads its input through a few shared combinations ("indices") of the first layer's units, centred and
priced per group. `fold` multiplies that out into the plain layers of `ScoringNetwork`; nothing of it ships.
"""

import itertools

import numpy as np
import torch

from spots_ml.models.declared import ModelType, model_spec
from spots_ml.training.config import TrainingConfig
from spots_ml.training.first_layer import start_first_layer
from spots_ml.training.moments import blocks, moments
from spots_ml.training.network import ScoringNetwork

_SMALL = 1e-8
REFERENCE_ROWS = 7_000
"""Rows at which the penalties are as configured; they fall with the square root of the rows, as chance does."""


class Learner:
    """Parameters during training and the functions of them.

    Attributes:
        parameters: First-layer weight and bias, index weight, then weight and bias of each later layer.
        shift: `(n_inputs,)` float32, means of the training inputs.
        scale: `(n_inputs,)` float32, one over their standard deviations; 0 for an input that does not vary.
    """

    def __init__(
        self, model_type: ModelType, inputs: np.ndarray, targets: np.ndarray, config: TrainingConfig, seed: int
    ) -> None:
        self.model_type: ModelType = model_type
        self.shift, self.scale = _standardisation(inputs)
        width, second, *later = model_spec(model_type).hidden
        first = start_first_layer(
            inputs,
            self.shift.astype(np.float64),
            self.scale.astype(np.float64),
            width,
            np.random.default_rng([seed, 1]),
        )
        self._mean = _float32(first.mean)
        self._group = torch.from_numpy(first.group)
        self._price = torch.full((first.n_groups,), config.free_unit_penalty)
        self._price[: int(first.group[first.n_known - 1]) + 1] = config.known_unit_penalty
        self._price *= (REFERENCE_ROWS / len(inputs)) ** 0.5
        generator = torch.Generator().manual_seed(seed)
        self.parameters = [
            _float32(first.weight),
            _float32(first.bias),
            _uniform((config.n_indices, width), width, generator),
            _uniform((second, config.n_indices), config.n_indices, generator),
            _uniform((second,), config.n_indices, generator),
        ]
        for n_in, n_out in itertools.pairwise([second, *later, 1]):
            self.parameters += [_uniform((n_out, n_in), n_in, generator), _uniform((n_out,), n_in, generator)]
        mean = float(np.clip(targets.mean(dtype=np.float64), 1e-6, 1 - 1e-6))
        self.parameters[-1].fill_(np.log(mean / (1 - mean)))
        for parameter in self.parameters:
            parameter.requires_grad_()

    def standardise(self, inputs: np.ndarray) -> torch.Tensor:
        """Prepare inputs for `logits`.

        Args:
            inputs: `(n_rows, n_inputs)` float32, raw contract values.

        Returns:
            `(n_rows, n_inputs)` float32.
        """
        standardised = torch.empty(inputs.shape)  # aligned by torch, see _float32
        for block in blocks(len(inputs)):
            standardised[block] = torch.from_numpy(((inputs[block] - self.shift) * self.scale).astype(np.float32))
        return standardised

    def logits(self, parameters: list[torch.Tensor], inputs: torch.Tensor) -> torch.Tensor:
        """Compute the logit.

        Args:
            parameters: Of this learner, or a running average of them.
            inputs: `(batch, n_inputs)` float32, standardised.

        Returns:
            `(batch, 1)` float32.
        """
        weight, bias, index, mixing, offset, *later = parameters
        hidden = torch.relu(torch.addmm(bias, inputs, weight.T))
        hidden = torch.addmm(-index.mv(self._mean), hidden, index.T)
        hidden = torch.addmm(offset, hidden, mixing.T)
        for weight, bias in zip(later[::2], later[1::2], strict=True):
            hidden = torch.addmm(bias, torch.relu(hidden), weight.T)
        return hidden

    def add_price(self) -> None:
        """Add the gradient of the penalty to the gradients of the loss.

        The penalty is a group lasso: for each group of first-layer units, its price times the norm of what the indices
        take from it. Written out because building a graph for it takes as long as a good part of the step.
        """
        index = self.parameters[2]
        assert index.grad is not None, "expected backward() of the loss before"
        weight = index.detach()
        norm = torch.zeros_like(self._price).index_add_(0, self._group, weight.square().sum(dim=0)).add_(_SMALL).sqrt_()
        index.grad.addcmul_(weight, (self._price / norm)[self._group])

    def fold(self, parameters: list[torch.Tensor]) -> ScoringNetwork:
        """Write the parameters as the plain network, which computes the same function.

        Args:
            parameters: Of this learner, or a running average of them.

        Returns:
            The network, uncalibrated, without gradients.
        """
        weight, bias, index, mixing, offset, *later = (parameter.detach().double() for parameter in parameters)
        second = mixing @ index
        layers = [weight, bias, second, offset - second @ self._mean.double(), *later]
        state = {"shift": torch.from_numpy(self.shift), "scale": torch.from_numpy(self.scale)}
        for number, (weight, bias) in enumerate(zip(layers[::2], layers[1::2], strict=True)):
            state |= {f"layers.{number}.weight": weight.float(), f"layers.{number}.bias": bias.float()}
        network = ScoringNetwork(self.model_type, n_extra_inputs=len(self.shift) - model_spec(self.model_type).n_inputs)
        network.load_state_dict(state, strict=False)
        return network.requires_grad_(False).eval()


def _standardisation(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, deviation = moments(len(inputs), lambda block: inputs[block])
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 1e-6)
    return mean.astype(np.float32), scale.astype(np.float32)


def _uniform(shape: tuple[int, ...], fan_in: int, generator: torch.Generator) -> torch.Tensor:
    values: torch.Tensor = (2 * torch.rand(shape, generator=generator) - 1) / fan_in**0.5
    return values


def _float32(values: np.ndarray) -> torch.Tensor:
    """Copy into memory that torch aligned: a product's last bit depends on where its factors lie."""
    return torch.from_numpy(values.astype(np.float32)).clone()
