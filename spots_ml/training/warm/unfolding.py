"""A finished network as the parameters of a learner again: the same function, ready to learn on."""

import numpy as np
import torch

from spots_ml.errors import ContractError
from spots_ml.training.network import ScoringNetwork

_NEGLIGIBLE = 1e-4
"""Share of the second layer that more indices than there are would hold; float32 leaves some 1e-6."""


def unfolded(network: ScoringNetwork, mean: torch.Tensor, n_indices: int) -> list[torch.Tensor]:
    """Write a network as parameters of `learner.Learner`, whose `fold` gives it back.

    A learner keeps the second layer as a product of two narrow ones; they are found again by its singular values.

    Args:
        network: As it was trained, with any calibration, which is no part of the parameters.
        mean: `(n_units,)` what the learner takes off the first layer's units.
        n_indices: Combinations of first-layer units that the learner has.

    Returns:
        The parameters in the learner's order, float32.

    Raises:
        ContractError: When the network's second layer does not go through so few combinations.
    """
    first, second, *later = (layer for layer in network.layers if isinstance(layer, torch.nn.Linear))
    u, singular, vt = torch.linalg.svd(second.weight.detach().double(), full_matrices=False)
    beyond = float(singular[n_indices:].norm() / singular.norm()) if float(singular.norm()) > 0.0 else 0.0
    if beyond > _NEGLIGIBLE:
        raise ContractError(
            f"the network to start from has {beyond:.1%} of its second layer beyond {n_indices} combinations of units: "
            "it is of another architecture; give the recipe its n_indices, or train from the beginning (warm_start)"
        )
    root = singular[:n_indices].sqrt()
    mixing, index = u[:, :n_indices] * root, root[:, None] * vt[:n_indices]
    offset = second.bias.detach().double() + mixing @ index @ mean.double()
    parameters = [first.weight, first.bias, index, mixing, offset]
    for layer in later:
        parameters += [layer.weight, layer.bias]
    return [torch.from_numpy(np.array(one.detach().numpy(), np.float32)).clone() for one in parameters]
