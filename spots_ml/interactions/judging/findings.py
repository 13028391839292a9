"""Where a reason was found: the key path and the value, short and safe to print, beside the reason's stable code.

Drawn from a broken record's text, which is kept; the rules themselves are in `rules` and `reading.broken_records`.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from spots_ml.interactions.judging.rules import BLANKS
from spots_ml.interactions.reading.broken_records import ABSENT, Findings, record_findings
from spots_ml.interactions.reading.record_layout import (
    CALLED_KEYS,
    FEATURE_GROUPS,
    NUMBER_KEYS,
    TEXT_KEYS,
    TIME_KEYS,
)

MAX_KEYS: Final = 20
"""Of the keys that are counted, the most frequent ones are told."""
_MAX_COUNTED: Final = 1_000
_MAX_FINDINGS: Final = 10
_LENGTH: Final = 60
_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_.\-]{1,60}")
_SECRET: Final = re.compile(r"pass|secret|token|credential|auth|api_?key|mail|phone|cookie", re.IGNORECASE)
_OUTCOME_KEYS: Final = ("outcome_type", "outcome_score", "outcome_timestamp")


def told(record: str, reasons: Sequence[str]) -> list[str]:
    """Say where the reasons of a broken record were found.

    Args:
        record: Its text; anything at all.
        reasons: Its reason codes.

    Returns:
        Texts such as `unknown_key: context_features.trend_bost = 0.3`, ten at most; a reason that concerns the record
        as a whole has none.
    """
    return told_findings(find_keys(record, reasons))


def told_findings(findings: Findings) -> list[str]:
    """Put findings into texts.

    Args:
        findings: By reason code.

    Returns:
        Ten at most.
    """
    texts = [
        f"{code}: {key_shown(path)}{'' if value is ABSENT else f' = {value_shown(value, path)}'}"
        for code, found in sorted(findings.items())
        for path, value in found
        if path
    ]
    return texts if len(texts) <= _MAX_FINDINGS else [*texts[:_MAX_FINDINGS], f"and {len(texts) - _MAX_FINDINGS} more"]


def find_keys(record: str, reasons: Sequence[str]) -> Findings:
    """Find the keys and values that the reasons of a record of the app's layout are about.

    Args:
        record: Its text; anything at all.
        reasons: Its reason codes.

    Returns:
        Of those reasons that a key can be named for.
    """
    if not set(reasons) - {"duplicate"}:
        return {}
    # A half pair that was escaped when the text was kept stays as it is.
    found = record_findings(record.encode("utf-8", "surrogatepass"))
    return {code: found.get(code) or list(_in_columns(record, code)) for code in reasons}


def key_shown(path: str) -> str:
    r"""Write a key so that it may stand in any line.

    Args:
        path: A key path.

    Returns:
        The path, or a quoted, escaped and shortened one when it is no plain name.

    >>> key_shown("context_features.trend_bost"), key_shown("a\nb")
    ('context_features.trend_bost', '"a\\nb"')
    """
    return path if _PLAIN_KEY.fullmatch(path) else _shortened(json.dumps(path))


def value_shown(value: object, path: str = "") -> str:
    r"""Write a value so that it may stand in any line: escaped, shortened, and nothing that looks like a secret.

    Args:
        value: What JSON can hold.
        path: Its key path.

    Returns:
        Printable ASCII of some sixty characters at most.

    >>> value_shown("x\x1b[2J"), value_shown("hunter2", "api_key")
    ('"x\\u001b[2J"', '(not shown)')
    """
    if _SECRET.search(path):
        return "(not shown)"
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value):,}"
    return _shortened(json.dumps(value))


def _shortened(text: str) -> str:
    return text if len(text) <= _LENGTH else f"{text[:_LENGTH]}... ({len(text):,} characters)"


class KeyTally:
    """Counts in how many records which key was found wrong, in bounded memory."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, details: Iterable[str]) -> None:
        """Count what was found in one record.

        Args:
            details: From `told`.
        """
        for name in {detail.partition(" = ")[0] for detail in details if ": " in detail}:
            if name in self._counts or len(self._counts) < _MAX_COUNTED:
                self._counts[name] += 1

    def counts(self) -> dict[str, int]:
        """Give the most frequent ones.

        Returns:
            `code: key path` -> records, at most `MAX_KEYS`, the most frequent first.
        """
        return dict(sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_KEYS])


def _in_columns(record: str, code: str) -> Iterator[tuple[str, object]]:
    """Find what the rules over columns are about."""
    try:
        said = json.loads(record)
    except (ValueError, RecursionError):
        return
    if not isinstance(said, dict):
        return
    if code in ("out_of_range", "not_finite"):
        yield from ((path, value) for path, value in _numbers(said) if _is_out(value, path, code))
    elif code == "empty_id":
        yield from _of(
            said, (key for key in TEXT_KEYS if isinstance(said.get(key), str) and not said[key].strip(BLANKS))
        )
    elif code == "invalid_encoding":
        yield from _of(said, (key for key in TEXT_KEYS if "\0" in str(said.get(key))))
    elif code in ("timestamp_in_future", "outcome_before_interaction"):
        yield from _of(said, TIME_KEYS)
    elif code == "unknown_outcome_type":
        yield from _of(said, _OUTCOME_KEYS[:1])
    elif code in ("incomplete_outcome", "outcome_contradicts_score"):
        yield from _of(said, (*_OUTCOME_KEYS, *CALLED_KEYS) if code == "outcome_contradicts_score" else _OUTCOME_KEYS)


def _of(said: dict[str, Any], keys: Iterable[str]) -> Iterator[tuple[str, object]]:
    yield from ((key, said[key]) for key in keys if said.get(key) is not None)


def _numbers(said: dict[str, Any]) -> Iterator[tuple[str, object]]:
    for group in (*FEATURE_GROUPS, "history_features"):
        if isinstance(said.get(group), dict):
            yield from ((f"{group}.{key}", value) for key, value in said[group].items())
    yield from ((key, value) for key, value in said.items() if key in NUMBER_KEYS or key not in FEATURE_GROUPS)


def _is_out(value: object, path: str, code: str) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    if code == "not_finite":
        return not math.isfinite(value)
    low, high = (-0.1, 0.2) if path == "trend_boost" else (0.0, 1.0)
    return not low <= value <= high
