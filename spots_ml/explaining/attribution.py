"""Integrated gradients: what each single input adds to a network's answer, from its weights.

Sundararajan, Taly & Yan (2017), "Axiomatic attribution for deep networks". What groups of inputs add, from a model's
answers alone, is in `explaining.shapley`.

Between two switches of a ReLU the logit is linear on the path, and the integral has a closed form; so the path is only
halved where a switch lies, until what is left does not matter.
"""

import copy
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from spots_ml.errors import ContractError
from spots_ml.training.network import ScoringNetwork

TOLERANCE: Final = 1e-6
"""Completeness error that is small enough: what torch and ONNX may differ by."""
MAX_HALVINGS: Final = 40
"""A 2^40th of the path is lost in the rounding of float64."""
_FIRST_PIECES: Final = 64
_PIECES_WITH_SWITCHES: Final = 256
"""As many as may share the tolerance: the networks have 192 and 224 ReLUs, and most switch once or never."""
_POINTS_PER_PASS: Final = 16_384
_FLAT: Final = 1e-9


@dataclass(frozen=True)
class Attribution:
    """What each input adds to each row's answer.

    Attributes:
        contributions: `(n_rows, n_inputs)` float64; exactly 0 for an input that the network ignores, or that has the
            baseline's value.
        answers: `(n_rows,)` float64, the network's answers.
        baseline_answer: The network's answer at the baseline.
        completeness_error: `(n_rows,)` float64, |sum of contributions - (answer - baseline answer)|.
        n_pieces: `(n_rows,)` int64, pieces of the path that were integrated, including those halved later.
    """

    contributions: np.ndarray
    answers: np.ndarray
    baseline_answer: float
    completeness_error: np.ndarray
    n_pieces: np.ndarray


def integrated_gradients(
    network: ScoringNetwork,
    inputs: np.ndarray,
    baseline: np.ndarray | None = None,
    *,
    tolerance: float = TOLERANCE,
    max_halvings: int = MAX_HALVINGS,
) -> Attribution:
    """Attribute a network's answers to its inputs.

    `(input - baseline) x mean gradient of the answer on the straight path between them`, in float64.

    Args:
        network: Calibrated or not; not changed.
        inputs: `(n_rows, n_inputs)`, raw contract values.
        baseline: `(n_inputs,)`, where the path begins; None: the training means, which are the network's `shift`, so
            that contributions explain the distance from the average interaction.
        tolerance: Completeness error, in units of the answer, below which nothing is refined any more.
        max_halvings: How often a piece of the path may be halved; a row that needs more keeps the error reported.

    Returns:
        The contributions with the errors achieved.

    Raises:
        ContractError: When inputs or baseline have another width than the network.
    """
    start = network.shift.numpy() if baseline is None else np.asarray(baseline)
    width = (len(network.shift),)
    if inputs.ndim != 2 or inputs.shape[1:] != width or start.shape != width:
        raise ContractError(
            f"inputs have the shape {inputs.shape}, the baseline {start.shape}; expected (n_rows, {width[0]}) and "
            f"{width}: raw contract values in the order of the contract"
        )
    exact = copy.deepcopy(network).double().requires_grad_(False)
    origin, ends = torch.from_numpy(start.astype(np.float64)), torch.from_numpy(inputs.astype(np.float64))
    contributions = torch.zeros_like(ends)
    row = torch.arange(len(ends)).repeat_interleave(_FIRST_PIECES)
    low = (torch.arange(_FIRST_PIECES, dtype=torch.float64) / _FIRST_PIECES).repeat(len(ends))
    length = 1.0 / _FIRST_PIECES
    n_pieces = torch.zeros(len(ends), dtype=torch.int64)
    for halvings in range(max_halvings + 1):
        n_pieces += torch.bincount(row, minlength=len(ends))
        again = torch.zeros(len(row), dtype=torch.bool)
        for some in torch.arange(len(row)).split(_POINTS_PER_PASS):
            found, error = _integrate(exact, origin, ends[row[some]] - origin, low[some], length)
            settled = (error <= tolerance / _PIECES_WITH_SWITCHES) | (halvings == max_halvings)
            contributions.index_add_(0, row[some][settled], found[settled])
            again[some] = ~settled
        row, length = row[again].repeat_interleave(2), length / 2
        low = torch.stack([low[again], low[again] + length], dim=1).flatten()
        if len(row) == 0:
            break
    with torch.inference_mode():
        answers, baseline_answer = exact(ends)[:, 0], float(exact(origin[None])[0, 0])
        error = (contributions.sum(dim=1) - (answers - baseline_answer)).abs()
    return Attribution(contributions.numpy(), answers.numpy(), baseline_answer, error.numpy(), n_pieces.numpy())


def _integrate(
    network: ScoringNetwork, origin: torch.Tensor, distance: torch.Tensor, low: torch.Tensor, length: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Integrate pieces of paths as if no ReLU switched there; the error tells where one does."""
    middle = (origin + (low + length / 2)[:, None] * distance).requires_grad_()
    logit = _logit(network, middle)
    (gradient,) = torch.autograd.grad(logit.sum(), middle)
    with torch.inference_mode():
        first = _logit(network, origin + low[:, None] * distance)
        last = _logit(network, origin + (low + length)[:, None] * distance)
        rise, climb = torch.sigmoid(last) - torch.sigmoid(first), last - first
        answer = torch.sigmoid(logit.detach())
        flat = climb.abs() < _FLAT
        slope = torch.where(flat, answer * (1 - answer), rise / torch.where(flat, torch.ones_like(climb), climb))
        found = distance * gradient * (slope * length)[:, None]
        return found, (found.sum(dim=1) - rise).abs()


def _logit(network: ScoringNetwork, inputs: torch.Tensor) -> torch.Tensor:
    """The calibrated logit, `(batch,)`."""
    calibrated: torch.Tensor = network.calibration_slope * network.logits(inputs) + network.calibration_intercept
    return calibrated[:, 0]
