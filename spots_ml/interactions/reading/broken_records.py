"""Reads one record of any shape, slowly, and says everything that is wrong with it.

Total: every text gives one row.

Values that can be read are kept, so that the rules that look at columns (`rules`) find the rest of what is
wrong.
"""

import json
import math
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from spots_ml.features.contract import DERIVED_FEATURES, RAW_FEATURES
from spots_ml.interactions.reading.record_layout import (
    CALLED_KEYS,
    DERIVED_KEYS,
    FEATURE_GROUPS,
    NUMBER_KEYS,
    OPTIONAL_KEYS,
    PLACEHOLDERS,
    REQUIRED_KEYS,
    TEXT_KEYS,
    TIME_KEYS,
)
from spots_ml.interactions.reading.records import derived_mismatch

_MISSING: Final = object()


def read_record(text: bytes) -> dict[str, Any]:
    """Read one element of the export's array.

    Args:
        text: The element's bytes; anything at all.

    Returns:
        Values by column of `schema.INTERACTIONS` (absent: null) without `position`. `problems` holds the
        reason codes found, sorted, and `record` the text; both are absent when nothing is wrong.
    """
    return _Reading(text).row()


class _Reading:
    """One record being read."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._problems: set[str] = set()
        self._values: dict[str, Any] = {}
        self._claimed: dict[str, float] = {}

    def row(self) -> dict[str, Any]:
        record = self._parse()
        if record is not None:
            self._read(record)
        if self._problems:
            self._values["problems"] = sorted(self._problems)
            self._values["record"] = self._text.decode("utf-8", "backslashreplace")
        return self._values

    def _parse(self) -> dict[str, Any] | None:
        try:
            record = json.loads(self._text.decode("utf-8"), parse_int=float)
        except UnicodeDecodeError:
            self._problems.add("invalid_encoding")
            return None
        except (ValueError, RecursionError):
            self._problems.add("malformed_record")
            return None
        if not isinstance(record, dict):
            self._problems.add("malformed_record")
            return None
        return record

    def _read(self, record: dict[str, Any]) -> None:
        if any(key not in record for key in REQUIRED_KEYS):
            self._problems.add("missing_key")
        if any(key not in REQUIRED_KEYS and key not in OPTIONAL_KEYS for key in record):
            self._problems.add("unknown_key")
        for group, keys in FEATURE_GROUPS.items():
            if group in record:
                self._read_group(record[group], group, keys)
        for key, column in NUMBER_KEYS.items():
            self._keep(column, self._number(record.get(key)))
        for key, column in TEXT_KEYS.items():
            self._keep(column, self._characters(record.get(key)))
        for key, column in TIME_KEYS.items():
            self._keep(column, self._time(record.get(key)))
        self._keep("outcome_type", self._characters(record.get("outcome_type")))
        if all(key not in record for key in CALLED_KEYS):
            self._problems.add("missing_key")
        for key in CALLED_KEYS:
            self._keep("is_called", self._boolean(record.get(key)))
        self._check_derived()

    def _read_group(self, group: object, name: str, keys: dict[str, str]) -> None:
        if not isinstance(group, dict):
            self._problems.add("wrong_type")
            return
        for key, column in keys.items():
            if key not in group:
                self._problems.add("missing_key")
            self._keep(column, self._number(group.get(key)))
        for key in DERIVED_KEYS[name]:
            value = self._number(group.get(key))
            if value is not None:
                self._claimed[key] = value
        if any(key not in (*keys, *PLACEHOLDERS[name], *DERIVED_KEYS[name]) for key in group):
            self._problems.add("unknown_key")

    def _keep(self, column: str, value: object) -> None:
        if value is None:
            return
        if self._values.setdefault(column, value) != value:
            self._problems.add("conflicting_keys")

    def _number(self, value: object) -> float | None:
        if value is None:
            return None
        if not isinstance(value, float):
            self._problems.add("wrong_type")
            return None
        if not math.isfinite(value):
            self._problems.add("not_finite")
            return None
        return value

    def _boolean(self, value: object) -> bool | None:
        if value is None or isinstance(value, bool):
            return value
        self._problems.add("wrong_type")
        return None

    def _characters(self, value: object) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str):
            self._problems.add("wrong_type")
            return None
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            self._problems.add("invalid_encoding")
            return None
        return value

    def _time(self, value: object) -> datetime | None:
        text = self._characters(value)
        if text is None:
            return None
        try:
            time = datetime.fromisoformat(text)
            if time.tzinfo is not None:
                return time.astimezone(UTC)
        except (ValueError, OverflowError):
            self._problems.add("invalid_timestamp")
            return None
        self._problems.add("timestamp_without_zone")
        return None

    def _check_derived(self) -> None:
        if not self._claimed:
            return
        raw = np.array([[self._values.get(name, math.nan) for name in RAW_FEATURES]], dtype=np.float64)
        claimed = np.array([[self._claimed.get(name, math.nan) for name in DERIVED_FEATURES]])
        if derived_mismatch(raw, claimed).any():
            self._problems.add("derived_mismatch")
