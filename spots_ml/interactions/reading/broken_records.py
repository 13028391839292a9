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
    MAX_RECORD_BYTES,
    NUMBER_KEYS,
    OPTIONAL_KEYS,
    PLACEHOLDERS,
    REPORT_KEYS,
    REQUIRED_KEYS,
    TEXT_KEYS,
    TIME_KEYS,
)
from spots_ml.interactions.reading.records import derived_mismatch

_KEPT_BYTES: Final = 1 << 16
_AGENT_KEYS: Final = tuple(key for key, column in TEXT_KEYS.items() if column == "agent_id")

ABSENT: Final = object()
"""Stands for the value of a key that is not there."""

Findings = dict[str, list[tuple[str, object]]]
"""Reason code -> key paths with their values; a path is empty where the record as a whole is meant."""


def read_record(text: bytes) -> dict[str, Any]:
    """Read one element of the export's array.

    Args:
        text: The element's bytes; anything at all.

    Returns:
        Values by column of `schema.INTERACTIONS` (absent: null) without `position`. `problems` holds the
        reason codes found, sorted, and `record` the text; both are absent when nothing is wrong.
    """
    return _Reading(text).row()


def agent_of(text: bytes) -> str | None:
    """Read whose a record is, and nothing else of it.

    Args:
        text: The element's bytes; anything at all.

    Returns:
        The agent that `read_record` finds; None where it finds none.
    """
    return _Reading(text).agent()


def read_parsed(record: dict[str, Any], text: bytes) -> dict[str, Any]:
    """Read a record that is parsed already.

    Args:
        record: A JSON object whose numbers are all floats.
        text: The bytes it was parsed from.

    Returns:
        As `read_record`.
    """
    return _Reading(text).row(record)


def record_findings(text: bytes) -> Findings:
    """Say which keys and values are wrong with one element of the export's array.

    Args:
        text: The element's bytes; anything at all.

    Returns:
        The reason codes that `read_record` gives, each with where it was found.
    """
    reading = _Reading(text)
    reading.row()
    return reading.findings


def kept_text(text: bytes) -> str:
    """Keep what a broken record said; of one that is too large its beginning.

    Args:
        text: The record's bytes.

    Returns:
        The text; what is no UTF-8 is escaped.
    """
    if len(text) <= MAX_RECORD_BYTES:
        return text.decode("utf-8", "backslashreplace")
    return f"{text[:_KEPT_BYTES].decode('utf-8', 'backslashreplace')}... ({len(text):,} bytes)"


class _Reading:
    """One record being read."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self.findings: Findings = {}
        self._values: dict[str, Any] = {}
        self._claimed: dict[str, tuple[str, float]] = {}

    def row(self, record: dict[str, Any] | None = None) -> dict[str, Any]:
        record = self._parse() if record is None else record
        if record is not None:
            self._read(record)
        if self.findings:
            self._values["problems"] = sorted(self.findings)
            self._values["record"] = kept_text(self._text)
        return self._values

    def agent(self) -> str | None:
        record = self._parse() or {}
        for key in _AGENT_KEYS:
            self._keep("agent_id", self._characters(record.get(key), key), key)
        return self._values.get("agent_id")

    def _found(self, code: str, path: str = "", value: object = ABSENT) -> None:
        self.findings.setdefault(code, []).append((path, value))

    def _parse(self) -> dict[str, Any] | None:
        if len(self._text) > MAX_RECORD_BYTES:
            self._found("too_large")
            return None
        try:
            record = json.loads(self._text.decode("utf-8"), parse_int=float)
        except UnicodeDecodeError:
            self._found("invalid_encoding")
            return None
        except RecursionError:
            self._found("too_large")
            return None
        except ValueError:
            self._found("malformed_record")
            return None
        if not isinstance(record, dict):
            self._found("malformed_record")
            return None
        return record

    def _read(self, record: dict[str, Any]) -> None:
        for key in REQUIRED_KEYS:
            if key not in record:
                self._found("missing_key", key)
        for key, value in record.items():
            if key not in REQUIRED_KEYS and key not in OPTIONAL_KEYS:
                self._found("unknown_key", key, value)
        for group, keys in FEATURE_GROUPS.items():
            if group in record:
                self._read_group(record[group], group, keys)
        for key, column in NUMBER_KEYS.items():
            self._keep(column, self._number(record.get(key), key), key)
        for key, column in TEXT_KEYS.items():
            self._keep(column, self._characters(record.get(key), key), key)
        for key, column in TIME_KEYS.items():
            self._keep(column, self._time(record.get(key), key), key)
        self._keep("outcome_type", self._characters(record.get("outcome_type"), "outcome_type"), "outcome_type")
        told = [key for key in CALLED_KEYS if key in record]
        if not told:
            self._found("missing_key", CALLED_KEYS[0])
        is_report = any(record.get(key) is not None for key in REPORT_KEYS)
        for place, key in enumerate(told):
            called = self._boolean(record[key], key)
            if place == 0 or not is_report:
                self._keep("is_called", called, key)
        self._check_derived()

    def _read_group(self, group: object, name: str, keys: dict[str, str]) -> None:
        if not isinstance(group, dict):
            self._found("wrong_type", name, group)
            return
        for key, column in keys.items():
            if key not in group:
                self._found("missing_key", f"{name}.{key}")
            self._keep(column, self._number(group.get(key), f"{name}.{key}"), f"{name}.{key}")
        for key in DERIVED_KEYS[name]:
            value = self._number(group.get(key), f"{name}.{key}")
            if value is not None:
                self._claimed[key] = (f"{name}.{key}", value)
        for key, value in group.items():
            if key not in (*keys, *PLACEHOLDERS[name], *DERIVED_KEYS[name]):
                self._found("unknown_key", f"{name}.{key}", value)

    def _keep(self, column: str, value: object, path: str) -> None:
        if value is None:
            return
        if self._values.setdefault(column, value) != value:
            self._found("conflicting_keys", path, value)

    def _number(self, value: object, path: str) -> float | None:
        if value is None:
            return None
        if not isinstance(value, float):
            self._found("wrong_type", path, value)
            return None
        if not math.isfinite(value):
            self._found("not_finite", path, value)
            return None
        return value

    def _boolean(self, value: object, path: str) -> bool | None:
        if value is None or isinstance(value, bool):
            return value
        self._found("wrong_type", path, value)
        return None

    def _characters(self, value: object, path: str) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str):
            self._found("wrong_type", path, value)
            return None
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            self._found("invalid_encoding", path, value)
            return None
        return value

    def _time(self, value: object, path: str) -> datetime | None:
        text = self._characters(value, path)
        if text is None:
            return None
        try:
            time = datetime.fromisoformat(text)
            if time.tzinfo is not None:
                return time.astimezone(UTC)
        except (ValueError, OverflowError):
            self._found("invalid_timestamp", path, text)
            return None
        self._found("timestamp_without_zone", path, text)
        return None

    def _check_derived(self) -> None:
        if not self._claimed:
            return
        raw = np.array([[self._values.get(name, math.nan) for name in RAW_FEATURES]], dtype=np.float64)
        for index, name in enumerate(DERIVED_FEATURES):
            if name not in self._claimed:
                continue
            path, value = self._claimed[name]
            claimed = np.full((1, len(DERIVED_FEATURES)), math.nan)
            claimed[0, index] = value
            if derived_mismatch(raw, claimed).any():
                self._found("derived_mismatch", path, value)
