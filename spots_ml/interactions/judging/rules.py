"""The rules an interaction must obey, how strictly, and the reasons why a record goes to quarantine.

Each rule is held against whole columns at once. Reason codes are machine-readable, stable, and each explained once.

What concerns one record's shape was found while it was read; what concerns several records is in `merging`; what
happens to those that fail is in `validation`.
"""

from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from spots_ml.digests import digest_json
from spots_ml.interactions.columns import UNIT_COLUMNS, floats, numbers, outcome_codes, times
from spots_ml.interactions.judging.merging import truncated
from spots_ml.interactions.schema import OUTCOME_TYPES

REASONS: Final[dict[str, str]] = {
    "malformed_record": "the record is not a JSON object, or its text cannot be parsed",
    "invalid_encoding": "the record's text is not valid UTF-8, or holds half of a surrogate pair or a NUL",
    "missing_key": "a key that every record must have is absent",
    "unknown_key": "a key that the contract does not know is present",
    "conflicting_keys": "the old and the new name of a key are both present and disagree",
    "wrong_type": "a value has another type than its key asks for (text, boolean, list, … for a number, say)",
    "not_finite": "a number is NaN, infinite, or too large for a double",
    "out_of_range": "a number lies outside [0, 1], or a trend boost outside [-0.1, 0.2]",
    "empty_id": "an agent or opportunity id is an empty text, or nothing but white space",
    "invalid_timestamp": "a time is not an ISO 8601 date and time",
    "timestamp_without_zone": "a time says no offset from UTC",
    "timestamp_in_future": "a time lies later than now, clock skew allowed for",
    "outcome_before_interaction": "the outcome arrived before the millisecond in which the interaction was scored",
    "unknown_outcome_type": "the outcome type is none of positive, neutral, negative",
    "incomplete_outcome": "an outcome has a type or a score without the other, or a time without both",
    "outcome_contradicts_score": "the outcome score lies outside the range of the outcome type",
    "derived_mismatch": "a derived feature that the record brings differs from what its raw features give",
    "duplicate": "an earlier acceptable record is the same interaction; what this one adds was merged into it",
    "too_large": "the record's text exceeds 1 MiB, or it is nested deeper than can be read",
}
"""Code -> what it says, in the order in which they are numbered in masks."""

_BIT: Final = {code: 1 << number for number, code in enumerate(REASONS)}


def bit(code: str) -> int:
    """Give the bit that stands for a reason in a row's mask.

    Args:
        code: One of `REASONS`.

    Returns:
        A power of two.

    Raises:
        KeyError: When there is no such code.

    >>> bit("malformed_record")
    1
    """
    return _BIT[code]


def codes(mask: int) -> list[str]:
    """Name the reasons in a mask.

    Args:
        mask: Any sum of bits; 0 for none.

    Returns:
        The codes, sorted by name.

    >>> codes(bit("wrong_type") | bit("duplicate"))
    ['duplicate', 'wrong_type']
    """
    return sorted(code for code, one in _BIT.items() if mask & one)


class ValidationConfig(BaseModel):
    """Thresholds of validation; unknown names are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    max_broken_share: float = Field(
        default=0.05,
        ge=0.0,
        le=1.0,
        description="Largest share of broken records that is still accepted, in [0, 1].",
    )
    clock_skew_s: int = Field(
        default=300, ge=0, le=86_400, description="How far, in seconds, a time may lie ahead of now."
    )
    positive_from: float = Field(
        default=0.7, gt=0.0, le=1.0, description="Outcome score from which an outcome is positive."
    )
    neutral_from: float = Field(
        default=0.4, ge=0.0, lt=1.0, description="Outcome score from which an outcome is not negative."
    )
    neutral_from_not_called: float = Field(
        default=0.3,
        ge=0.0,
        lt=1.0,
        description="The same where the agent was not called, where sources draw the line lower; between "
        "the two edges both types are accepted.",
    )

    def digest(self) -> str:
        """Identify the thresholds.

        Returns:
            SHA-256 of all fields.
        """
        return digest_json(self.model_dump(mode="json"))


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
        `(n_rows,)` int64 masks of `rules.bit`; 0 where nothing is wrong.
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
