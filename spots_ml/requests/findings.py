"""Which key and value a refused request was refused for; what a request shares with a record is found in `judging`."""

import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.interactions.judging.findings import find_keys, told_findings
from spots_ml.interactions.judging.judgement import app_record
from spots_ml.interactions.judging.rules import codes
from spots_ml.interactions.reading.broken_records import ABSENT, Findings
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.requests.request_schema import EXTRA_NUMBERS, HISTORY_KEY, LABEL_KEYS

_OVER_COLUMNS: Final = ("out_of_range", "not_finite")


def told_refusals(batch: pa.RecordBatch, masks: np.ndarray, *, limit: int) -> list[tuple[int, list[str]]]:
    """Say what requests were refused for.

    Args:
        batch: `n` rows of schema `REQUESTS`.
        masks: `(n,)` int64 of `rules.bit`; 0 where a row was not refused.
        limit: How many refused rows are looked at, from the first on.

    Returns:
        The position of each, and texts such as `unknown_key: context_features.trend_bost = 0.3`.
    """
    refused = np.flatnonzero(masks)[:limit]
    rows = batch.take(pa.array(refused)).to_pylist()
    return [
        (row["position"], _told(row["record"] or _text(row), codes(int(masks[index]))))
        for index, row in zip(refused.tolist(), rows, strict=True)
    ]


def _told(record: str, reasons: Sequence[str]) -> list[str]:
    try:
        said = json.loads(record)
        if not isinstance(said, dict):
            return []
        extras = {key: said.pop(key, None) for key in (HISTORY_KEY, *EXTRA_NUMBERS)}
        shared = json.dumps(said | dict.fromkeys(LABEL_KEYS))
    except (ValueError, RecursionError):
        return []
    findings = find_keys(shared, [code for code in reasons if code not in _OVER_COLUMNS])
    findings |= find_keys(record, [code for code in reasons if code in _OVER_COLUMNS])
    _add_extras(findings, extras, reasons)
    return told_findings(findings)


def _add_extras(findings: Findings, extras: dict[str, Any], reasons: Sequence[str]) -> None:
    history = extras.pop(HISTORY_KEY)
    numbers = dict(extras)
    found: list[tuple[str, str, object]] = []
    if isinstance(history, dict):
        numbers |= {f"{HISTORY_KEY}.{name}": history.get(name) for name in HISTORY_FEATURES}
        found += [("missing_key", f"{HISTORY_KEY}.{name}", ABSENT) for name in HISTORY_FEATURES if name not in history]
        found += [
            ("unknown_key", f"{HISTORY_KEY}.{name}", value)
            for name, value in history.items()
            if name not in HISTORY_FEATURES
        ]
    elif history is not None:
        found.append(("wrong_type", HISTORY_KEY, history))
    found += [
        ("wrong_type", path, value)
        for path, value in numbers.items()
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float))
    ]
    for code, path, value in found:
        if code in reasons:
            findings.setdefault(code, []).append((path, value))


def _text(row: dict[str, Any]) -> str:
    """Write a request that was read into columns as the app would."""
    record = app_record(dict.fromkeys(INTERACTIONS.names) | row)
    history = {name: row[name] for name in HISTORY_FEATURES}
    return json.dumps(record | {HISTORY_KEY: history} | {name: row[name] for name in EXTRA_NUMBERS})
