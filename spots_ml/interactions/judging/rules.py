"""The rules an interaction must obey, each over whole columns at once.

Reason codes are explained in `reasons`.

What concerns one record's shape was found while it was read; what concerns several records (duplicates) is in
`identity`; what happens to those that fail is in `validation`.
"""

from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.features.contract import RAW_FEATURES
from spots_ml.interactions.judging.reasons import bit
from spots_ml.interactions.judging.validation_config import ValidationConfig
from spots_ml.interactions.schema import OUTCOME_TYPES

UNIT_COLUMNS: Final = (*RAW_FEATURES, "formula_score", "outcome_score")
"""The columns whose values lie in [0, 1]."""

_ROUNDING: Final = 5e-5
"""Half a unit of the fourth decimal.

Outcome types were told from scores before these were rounded to four decimals.
"""


def find_problems(batch: pa.RecordBatch, *, config: ValidationConfig, now: datetime) -> np.ndarray:
    """Judge each interaction by itself.

    Args:
        batch: Rows of schema `INTERACTIONS`.
        config: Edges of the outcome types and the clock skew that is allowed for.
        now: The present, with a time zone.

    Returns:
        `(n_rows,)` int64 masks of `reasons.bit`; 0 where nothing is wrong.
    """
    masks = _found_while_reading(batch)
    masks |= _number_problems(batch)
    for name in ("agent_id", "opportunity_id"):
        masks |= _where(_bools(pc.equal(batch[name], "")), "empty_id")
        masks |= _where(_bools(pc.match_substring(batch[name], "\0")), "invalid_encoding")
    masks |= _time_problems(batch, config, now)
    masks |= _outcome_problems(batch, config)
    return masks


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


def _found_while_reading(batch: pa.RecordBatch) -> np.ndarray:
    masks = np.zeros(batch.num_rows, np.int64)
    if batch["problems"].null_count < batch.num_rows:
        for row, problems in enumerate(batch["problems"].to_pylist()):
            for code in problems or ():
                masks[row] |= bit(code)
    return masks


def _number_problems(batch: pa.RecordBatch) -> np.ndarray:
    masks = np.zeros(batch.num_rows, np.int64)
    matrix = numbers(batch)
    inside = (matrix >= 0.0) & (matrix <= 1.0)
    n_null = sum(batch[name].null_count for name in UNIT_COLUMNS)
    if np.count_nonzero(inside) + n_null == inside.size:
        return masks
    for name, values, within in zip(UNIT_COLUMNS, matrix, inside, strict=True):
        known = batch[name].is_valid().to_numpy(zero_copy_only=False)
        finite = np.isfinite(values)
        masks |= _where(known & ~finite, "not_finite") | _where(finite & ~within, "out_of_range")
    return masks


def _time_problems(batch: pa.RecordBatch, config: ValidationConfig, now: datetime) -> np.ndarray:
    latest = np.datetime64(int(now.timestamp() * 1e6), "us") + np.timedelta64(config.clock_skew_s, "s")
    scored_at, outcome_at = times(batch["scored_at"]), times(batch["outcome_at"])
    masks = _where((scored_at > latest) | (outcome_at > latest), "timestamp_in_future")
    masks |= _where(outcome_at < scored_at, "outcome_before_interaction")
    return masks


def _outcome_problems(batch: pa.RecordBatch, config: ValidationConfig) -> np.ndarray:
    has_type, has_score, has_time = (
        batch[name].is_valid().to_numpy(zero_copy_only=False)
        for name in ("outcome_type", "outcome_score", "outcome_at")
    )
    masks = _where((has_type != has_score) | (has_time & ~has_type & ~has_score), "incomplete_outcome")
    kinds = outcome_codes(batch)
    masks |= _where(has_type & (kinds < 0), "unknown_outcome_type")
    score = floats(batch["outcome_score"])
    positive, neutral, negative = (kinds == number for number in range(len(OUTCOME_TYPES)))
    not_called = _bools(pc.equal(batch["is_called"], False))
    neutral_from = np.where(not_called, config.neutral_from_not_called, config.neutral_from)
    contradicts = (
        (positive & (score < config.positive_from - _ROUNDING))
        | (neutral & ((score < neutral_from - _ROUNDING) | (score > config.positive_from + _ROUNDING)))
        | (negative & (score > config.neutral_from + _ROUNDING))
    )
    masks |= _where(contradicts, "outcome_contradicts_score")
    return masks


def _bools(column: pa.Array) -> np.ndarray:
    values: np.ndarray = column.fill_null(False).to_numpy(zero_copy_only=False)
    return values


def _where(rows: np.ndarray, code: str) -> np.ndarray:
    return np.where(rows, np.int64(bit(code)), np.int64(0))
