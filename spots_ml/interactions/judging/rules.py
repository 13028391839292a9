"""The rules an interaction must obey, each over whole columns at once.

Reason codes are explained in `reasons`.

What concerns one record's shape was found while it was read; what concerns several records is in `merging`; what
happens to those that fail is in `validation`.
"""

from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.interactions.columns import UNIT_COLUMNS, floats, numbers, outcome_codes, times
from spots_ml.interactions.judging.merging import truncated
from spots_ml.interactions.judging.reasons import bit
from spots_ml.interactions.judging.validation_config import ValidationConfig
from spots_ml.interactions.schema import OUTCOME_TYPES

BLANKS: Final = (
    "\t\n\v\f\r \x85\xa0\u1680"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""The white space of Unicode: an id of nothing else is none."""

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
        masks |= _where(_bools(pc.equal(pc.utf8_trim(batch[name], characters=BLANKS), "")), "empty_id")
        masks |= _where(_bools(pc.match_substring(batch[name], "\0")), "invalid_encoding")
    masks |= _time_problems(batch, config, now)
    masks |= _outcome_problems(batch, config)
    return masks


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
    masks |= _where(truncated(outcome_at) < truncated(scored_at), "outcome_before_interaction")
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
