"""The network with its preprocessing and calibration inside: raw contract values in, a probability or score out.

And what training makes small, by the name that a model's declaration gives it.

How it learns is in `fit`; how it becomes ONNX is in `spots_ml.release`.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits

from spots_ml.models.declared import ModelType, model_spec
from spots_ml.models.spec import Loss


class ScoringNetwork(torch.nn.Module):
    """Affine preprocessing, ReLU layers, affine calibration of the logit, sigmoid.

    `output = sigmoid(calibration_slope * layers((input - shift) * scale) + calibration_intercept)`

    The declaration of the model says how many layers of which width. An input that did not vary in training has scale
    0: the network never reacts to what it never saw.

    Args:
        model_type: Which network.
        n_extra_inputs: Inputs after those of the contract, for experiments; nothing that ships has any.

    Attributes:
        model_type: Which network.
        shift: `(n_inputs,)` float32, subtracted from the raw input.
        scale: `(n_inputs,)` float32, multiplied after the shift.
        layers: The linear layers, one more than hidden ones are declared.
        calibration_slope: `()` float32, > 0; 1 when uncalibrated.
        calibration_intercept: `()` float32; 0 when uncalibrated.
    """

    def __init__(self, model_type: ModelType, *, n_extra_inputs: int = 0) -> None:
        super().__init__()
        self.model_type: ModelType = model_type
        spec = model_spec(model_type)
        widths = (spec.n_inputs + n_extra_inputs, *spec.hidden, 1)
        self.layers = torch.nn.ModuleList(torch.nn.Linear(n_in, n_out) for n_in, n_out in itertools.pairwise(widths))
        self.shift: torch.Tensor
        self.scale: torch.Tensor
        self.calibration_slope: torch.Tensor
        self.calibration_intercept: torch.Tensor
        self.register_buffer("shift", torch.zeros(widths[0]))
        self.register_buffer("scale", torch.ones(widths[0]))
        self.register_buffer("calibration_slope", torch.ones(()))
        self.register_buffer("calibration_intercept", torch.zeros(()))

    def logits(self, inputs: torch.Tensor) -> torch.Tensor:
        """Compute the uncalibrated logit.

        Args:
            inputs: `(batch, n_inputs)` float32, raw contract values.

        Returns:
            `(batch, 1)` float32.
        """
        hidden = (inputs - self.shift) * self.scale
        for layer in self.layers[:-1]:
            hidden = torch.relu(layer(hidden))
        logits: torch.Tensor = self.layers[-1](hidden)
        return logits

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Compute the model's answer.

        Args:
            inputs: `(batch, n_inputs)` float32, raw contract values in [0, 1].

        Returns:
            `(batch, 1)` float32 in [0, 1]; a batch of one stays `(1, 1)`.
        """
        answer: torch.Tensor = torch.sigmoid(self.calibration_slope * self.logits(inputs) + self.calibration_intercept)
        return answer


@dataclass(frozen=True)
class LossFunction:
    """One loss, in two forms that agree.

    Attributes:
        of_logits: `(batch, 1)` logits and targets in [0, 1] -> mean loss; what the gradient is taken of.
        of_answers: `(batch, 1)` answers in [0, 1] and targets -> mean loss.
    """

    of_logits: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    of_answers: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


LOSSES: Final[dict[Loss, LossFunction]] = {
    Loss.CROSS_ENTROPY: LossFunction(binary_cross_entropy_with_logits, binary_cross_entropy),
}
