"""What training makes small, by the name that a model's declaration gives it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits

from spots_ml.models.spec import Loss


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
