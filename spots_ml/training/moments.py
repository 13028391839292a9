"""Means and deviations of columns that are made block by block: many rows never become one array of float64."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

BLOCK_ROWS: Final = 65_536
"""Rows at once, here and wherever training goes over rows in blocks; fewer rows are one block."""


def blocks(n_rows: int) -> Iterator[slice]:
    """Cut rows into blocks.

    Args:
        n_rows: How many there are.

    Yields:
        Slices of `BLOCK_ROWS` rows, the last one of the rest.
    """
    for start in range(0, n_rows, BLOCK_ROWS):
        yield slice(start, min(start + BLOCK_ROWS, n_rows))


def moments(n_rows: int, values: Callable[[slice], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Take mean and standard deviation of columns, in two passes.

    Args:
        n_rows: At least 1.
        values: Makes the `(n, n_columns)` float values of a block; called twice for each.

    Returns:
        `(n_columns,)` float64 each; those of NumPy, to the last bit where there is one block.
    """
    total, squares = np.zeros(()), np.zeros(())
    for block in blocks(n_rows):
        total = total + values(block).sum(axis=0, dtype=np.float64)
    mean = total / n_rows
    for block in blocks(n_rows):
        apart = values(block) - mean
        squares = squares + np.multiply(apart, apart, out=apart).sum(axis=0)
    return mean, np.sqrt(squares / n_rows)
