"""What the first layer starts from: the contract says what matches what, so the network need not find it out.

The two sides' vibe dimensions come in pairs, and what matters about a pair is how far apart they are. Two ReLU units
make one |agent - opportunity| exactly; finding that kink by gradient takes more rows than there are. So units start as
kinks and levels of the pairs and as the other inputs; the rest start at random. All of them go on learning.
"""

from dataclasses import dataclass

import numpy as np

from spots_ml.errors import ConfigError
from spots_ml.features.contract import VIBE_DIMENSIONS
from spots_ml.training.moments import moments

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
