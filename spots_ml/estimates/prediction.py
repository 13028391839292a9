"""Predictions of values from those that came before, so that no value has a part in its own.

A ridge regression is fitted again at the begin of every block, on what came before the block, the older the less; all
of a block are predicted by it. Where blocks begin follows from the order alone, so a prediction is the same however
much has come since.
"""

from typing import Final

import numpy as np

_FIRST_BLOCK: Final = 16
_LARGEST_BLOCK: Final = 128
_MEMORY: Final = 2_000.0
"""After so many values an older one counts 1/e as much: what people do drifts."""
_PENALTY_OF_MEAN: Final = 1.0
_PENALTY_OF_SLOPES: Final = 10.0


def block_starts(begins_moment: np.ndarray) -> list[int]:
    """Divide a sequence into blocks that grow and end between moments.

    Args:
        begins_moment: `(n,)` bool, whether an entry is the first of its moment; those of one moment stay together.

    Returns:
        Positions at which blocks begin, from 0; none for an empty sequence.

    >>> block_starts(np.ones(40, bool))
    [0, 16, 32]
    >>> block_starts(np.arange(40) % 10 == 0)
    [0, 20]
    """
    possible = np.flatnonzero(begins_moment)
    starts: list[int] = []
    start = 0
    while start < len(begins_moment):
        starts.append(start)
        after = start + max(_FIRST_BLOCK, min(start // 2, _LARGEST_BLOCK))
        later = int(np.searchsorted(possible, after))
        start = int(possible[later]) if later < len(possible) else len(begins_moment)
    return starts


def predicted(
    covariates: np.ndarray, values: np.ndarray, starts: list[int], *, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Predict values from those of earlier blocks.

    Args:
        covariates: `(n, n_covariates)`, known before the values and of order 1; a constant is added.
        values: `(n, n_values)`, several of each entry.
        starts: Where blocks begin; see `block_starts`.
        low: `(n_values,)` what no prediction is below.
        high: `(n_values,)` what none is above.

    Returns:
        `(n, n_values)`; of the first block the number nearest to 0 that is allowed.
    """
    n, n_covariates = covariates.shape
    design = np.column_stack([np.ones(n), covariates])
    squares = np.diag([_PENALTY_OF_MEAN, *[_PENALTY_OF_SLOPES] * n_covariates])
    penalty = squares.copy()
    products = np.zeros((n_covariates + 1, values.shape[1]))
    told = np.empty_like(values, dtype=np.float64)
    for start, end in zip(starts, [*starts, n][1:], strict=True):
        block = design[start:end]
        told[start:end] = block @ np.linalg.solve(squares, products)
        kept = np.exp(-(end - start) / _MEMORY)
        squares = penalty + kept * (squares - penalty) + block.T @ block
        products = kept * products + block.T @ values[start:end]
    return np.clip(told, low, high)
