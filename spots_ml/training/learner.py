"""The network as it learns: the same function as `ScoringNetwork`, written so that few rows suffice.

Its first layer starts from what the contract says: what matches what, so that the network need not find it out.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import torch

from spots_ml.errors import ConfigError
from spots_ml.features.contract import VIBE_DIMENSIONS
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.training.config import TrainingConfig
from spots_ml.training.moments import blocks, moments
from spots_ml.training.network import ScoringNetwork
from spots_ml.training.warm.unfolding import unfolded

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
        self,
        model_type: ModelType,
        inputs: np.ndarray,
        targets: np.ndarray,
        config: TrainingConfig,
        seed: int,
        start: ScoringNetwork | None = None,
    ) -> None:
        self.model_type: ModelType = model_type
        self.shift, self.scale = _standardisation(inputs) if start is None else _of_network(start)
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
        if start is not None:
            self.parameters = unfolded(start, self._mean, config.n_indices)
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


def _of_network(network: ScoringNetwork) -> tuple[np.ndarray, np.ndarray]:
    """What it was trained with stays its own: other inputs than those would be another network."""
    return network.shift.numpy().copy(), network.scale.numpy().copy()


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


_N_PAIRS = len(VIBE_DIMENSIONS)


@dataclass(frozen=True)
class FirstLayer:
    """Starting values of the first layer, for standardised inputs.

    Attributes:
        weight: `(n_units, n_inputs)` float64; units vary with standard deviation 1 on the training rows.
        bias: `(n_units,)` float64.
        mean: `(n_units,)` float64, mean of the units after ReLU on the training rows.
        group: `(n_units,)` int64; units of one group are used or dropped together (the two halves of a kink).
        n_known: Units before this one say something known; the later ones started at random.
    """

    weight: np.ndarray
    bias: np.ndarray
    mean: np.ndarray
    group: np.ndarray
    n_known: int

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return int(self.group[-1]) + 1


def start_first_layer(
    inputs: np.ndarray, shift: np.ndarray, scale: np.ndarray, n_units: int, generator: np.random.Generator
) -> FirstLayer:
    """Lay out the first layer.

    Args:
        inputs: `(n_rows, n_inputs)` training inputs, raw contract values.
        shift: `(n_inputs,)` their means.
        scale: `(n_inputs,)` one over their standard deviations; 0 for an input that does not vary.
        n_units: Width of the layer; must hold the known units (51 for 39 inputs, 57 for 45, one more for each extra
            input).
        generator: Draws the units that know nothing.

    Returns:
        The starting values. A unit that would not vary has weight 0 and mean 0.

    Raises:
        ConfigError: When the layer cannot hold the known units.
    """
    known, group = _known_units(inputs.shape[1])
    n_free = n_units - len(known)
    if n_free < 0:
        raise ConfigError(
            f"the first hidden layer has {n_units} units; expected at least {len(known)} for {inputs.shape[1]} inputs: "
            "declare the model with a wider one"
        )
    free = generator.normal(size=(n_free, inputs.shape[1])) * scale / np.sqrt(inputs.shape[1])
    raw = np.concatenate([known, free])
    raw[:, scale == 0.0] = 0.0
    offset = np.concatenate(
        [known @ np.where(scale == 0.0, shift, 0.0), 0.5 * generator.normal(size=n_free) - free @ shift]
    )

    def units(block: slice) -> np.ndarray:
        values: np.ndarray = inputs[block].astype(np.float64) @ raw.T
        values += offset
        np.maximum(values, 0.0, out=values)
        return values

    mean, spread = moments(len(inputs), units)
    gain = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-6)
    deviation = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0.0)
    return FirstLayer(
        weight=raw * deviation * gain[:, None],
        bias=(offset + raw @ shift) * gain,
        mean=mean * gain,
        group=np.concatenate([group, group[-1] + 1 + np.arange(n_free)]),
        n_known=len(known),
    )


def _known_units(n_inputs: int) -> tuple[np.ndarray, np.ndarray]:
    each = np.eye(n_inputs)
    agent, opportunity, other = each[:_N_PAIRS], each[_N_PAIRS : 2 * _N_PAIRS], each[2 * _N_PAIRS :]
    kinks = np.stack([agent - opportunity, opportunity - agent], axis=1).reshape(-1, n_inputs)
    levels = (agent + opportunity) / 2
    group = np.concatenate([np.repeat(np.arange(_N_PAIRS), 2), _N_PAIRS + np.arange(len(levels) + len(other))])
    return np.concatenate([kinks, levels, other]), group
