"""Columns of interactions as arrays, null as NaN, NaT or -1."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.features.contract import RAW_FEATURES
from spots_ml.interactions.schema import OUTCOME_TYPES

UNIT_COLUMNS: Final = (*RAW_FEATURES, "formula_score", "outcome_score")
"""The columns whose values lie in [0, 1]."""


def numbers(batch: pa.RecordBatch) -> np.ndarray:
    """Take all numbers that lie in [0, 1] out of Arrow.

    Args:
        batch: Rows of schema `INTERACTIONS`.

    Returns:
        `(36, n_rows)` float64, NaN where null: the raw features in contract order, the formula's and the
        outcome's score.
    """
    matrix = np.empty((len(UNIT_COLUMNS), batch.num_rows), np.float64)
    for index, name in enumerate(UNIT_COLUMNS):
        matrix[index] = floats(batch[name])
    return matrix


def floats(column: pa.Array) -> np.ndarray:
    """Take a numeric column out of Arrow.

    Args:
        column: Numbers, possibly null.

    Returns:
        `(n_rows,)` float64, NaN where null.
    """
    values: np.ndarray = column.to_numpy(zero_copy_only=False)
    return values.astype(np.float64, copy=False)


def times(column: pa.Array) -> np.ndarray:
    """Take a time column out of Arrow.

    Args:
        column: UTC times, possibly null.

    Returns:
        `(n_rows,)` datetime64[us], NaT where null.
    """
    values: np.ndarray = column.to_numpy(zero_copy_only=False)
    return values.astype("datetime64[us]", copy=False)


def outcome_codes(batch: pa.RecordBatch) -> np.ndarray:
    """Number the outcome types.

    Args:
        batch: Rows with `outcome_type`.

    Returns:
        `(n_rows,)` int8: position in `OUTCOME_TYPES`, -1 where null or unknown.
    """
    found = pc.index_in(batch["outcome_type"], pa.array(OUTCOME_TYPES)).fill_null(-1)
    numbers: np.ndarray = found.to_numpy(zero_copy_only=False)
    return numbers.astype(np.int8)
