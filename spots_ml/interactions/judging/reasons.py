"""Reason codes: why a record went to quarantine. Machine-readable, stable, and each explained once, here."""

from typing import Final

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
