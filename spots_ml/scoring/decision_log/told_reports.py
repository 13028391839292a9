"""What an export of the app tells of phones' decisions: the same rows as its interactions, in the words of the log.

What is read here is only what is said. Whether a store may keep it is `acceptable`, which is what the tables of a
Supabase project take; whether it counts is said in `phone_claims`.
"""

import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.interactions.reading.export import read_chunks
from spots_ml.interactions.reading.json_array import Decoded, Elements, read_document
from spots_ml.interactions.reading.record_layout import ARRAY_NAME
from spots_ml.interactions.reading.records import read_times
from spots_ml.scoring.assignment import FORMULA_BASED, HYBRID
from spots_ml.scoring.decision import FALLBACK_TEXTS
from spots_ml.scoring.decision_log.phone_decisions import PHONE_DECISIONS

_KEYS: Final = {
    "agent_id": "agent_id",
    "opportunity_id": "opportunity_id",
    "timestamp": "decided_at",
    "arm": "group",
    "model_version": "version",
    "outcome_model_version": "outcome_version",
    "weight": "weight",
    "formula_calling_score": "formula_score",
    "neural_score": "neural_score",
    "calling_score": "score",
    "is_called": "called",
    "propensity": "propensity",
    "fallback": "fallback",
    "experiment": "experiment",
    "stage": "stage",
    "outcome_type": "outcome_type",
    "outcome_score": "outcome_score",
    "outcome_timestamp": "outcome_at",
    "reported_at": "reported_at",
}
"""Key of a record -> field of a report."""

TOLD_REPORTS: Final = pa.schema(
    [*(PHONE_DECISIONS.field(name) for name in _KEYS.values()), pa.field("outcome_id", pa.string())]
)
"""What one record tells of a phone's decision and its outcome; any of it may be unknown."""

SAID_BY_PHONE: Final = (
    *("group", "version", "outcome_version", "weight", "neural_score", "score", "called", "propensity", "fallback"),
    *("experiment", "stage"),
)
"""Whoever tells one of these reports a decision."""

_TYPES: Final[dict[str, Any]] = {
    "weight": float, "formula_calling_score": float, "neural_score": float, "calling_score": float,
    "propensity": float, "outcome_score": float, "is_called": bool, "stage": int,
}  # fmt: skip
_OF_INTERACTION: Final = ("formula_calling_score", "outcome_type", "outcome_score", "outcome_timestamp")
"""What the interaction itself tells."""
_MAX_ID_BYTES: Final = 256
_FALLBACKS: Final = pa.array(sorted({text for text in FALLBACK_TEXTS.values() if text is not None}))
_UNIT: Final = ("weight", "formula_score", "neural_score", "score", "outcome_score")

_Record: Final = msgspec.defstruct(
    "_Record",
    [
        *((key, _TYPES.get(key, str) | None, None) for key in (*_KEYS, "user_id", "outcome_id")),
        ("formula_is_called", bool | None | msgspec.UnsetType, msgspec.UNSET),
    ],
    gc=False,
)
_ARRAY: Final = msgspec.json.Decoder(list[_Record])  # type: ignore[valid-type]


def read_reports(path: Path) -> Iterator[pa.Table]:
    """Read what an export tells of phones' decisions.

    Args:
        path: A JSON export, plain or gzip.

    Yields:
        Rows of schema `TOLD_REPORTS`, one per record in the order of the file; of a record that cannot be read as a
        report nothing is known.

    Raises:
        InputError: When the file is not such an export.
    """
    for event in read_document(read_chunks(path, ahead=True), ARRAY_NAME, _decoded, name=str(path)):
        if isinstance(event, Decoded):
            yield event.value
        elif isinstance(event, Elements):
            unknown = pa.Table.from_pylist([{}], TOLD_REPORTS)
            yield pa.concat_tables([_decoded(b"[" + text + b"]") or unknown for text in event.texts])


def reporting(reports: pa.Table) -> np.ndarray:
    """Tell which records report a decision.

    Args:
        reports: `n` rows of schema `TOLD_REPORTS`.

    Returns:
        `(n,)` bool.
    """
    known = [pc.is_valid(reports[name]).to_numpy() for name in SAID_BY_PHONE]
    told: np.ndarray = np.logical_or.reduce(known)
    return told


def kept_reports(reports: pa.Table) -> pa.Table:
    """Take what a store keeps.

    Args:
        reports: `n` rows of schema `TOLD_REPORTS`.

    Returns:
        The rows that are `acceptable` and report a decision, or name the id of its outcome.
    """
    says_something = reporting(reports) | reports["outcome_id"].is_valid().to_numpy()
    return reports.filter(pa.array(acceptable(reports) & says_something))


def acceptable(reports: pa.Table) -> np.ndarray:
    """Tell which reports a store may keep; others are said to be out of range where they would be judged.

    Args:
        reports: `n` rows of schema `TOLD_REPORTS`.

    Returns:
        `(n,)` bool: agent, opportunity and moment are known, and all else is what it can be.
    """
    column = reports.column
    rules = [
        *(pc.is_valid(column(name)) for name in ("agent_id", "opportunity_id", "decided_at")),
        *(pc.and_(pc.greater_equal(column(name), 0.0), pc.less_equal(column(name), 1.0)) for name in _UNIT),
        pc.and_(pc.greater(column("propensity"), 0.0), pc.less_equal(column("propensity"), 1.0)),
        pc.and_(pc.greater_equal(column("stage"), 1), pc.less_equal(column("stage"), 1000)),
        _is_one_of(column("group"), pa.array([HYBRID, FORMULA_BASED])),
        _is_one_of(column("fallback"), _FALLBACKS),
        *(_is_id(column(name)) for name in ("agent_id", "opportunity_id", "version", "outcome_version", "experiment")),
        pa.array([value is None or _is_uuid(value) for value in column("outcome_id").to_pylist()], pa.bool_()),
    ]
    taken: np.ndarray = np.logical_and.reduce([rule.fill_null(True).to_numpy(zero_copy_only=False) for rule in rules])
    return taken


def _is_one_of(column: pa.ChunkedArray, texts: pa.Array) -> pa.ChunkedArray:
    return pc.or_(pc.is_null(column), pc.is_in(column, texts))


def _is_id(column: pa.ChunkedArray) -> pa.ChunkedArray:
    short = pc.less_equal(pc.binary_length(column), _MAX_ID_BYTES)
    return pc.and_(short, pc.not_equal(pc.utf8_trim_whitespace(column), ""))


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def report_items(reports: pa.Table) -> Iterator[dict[str, Any]]:
    """Write reports as the app's table has them.

    Args:
        reports: Rows of schema `TOLD_REPORTS`.

    Yields:
        One document per row, with the keys of a record; unknown is absent, moments are texts.
    """
    for row in reports.to_pylist():
        told = {key: row[name] for key, name in _KEYS.items() if key not in _OF_INTERACTION} | {
            "outcome_id": row["outcome_id"]
        }
        yield {
            key: value.isoformat() if isinstance(value, datetime) else value
            for key, value in told.items()
            if value is not None
        }


def _decoded(text: bytes) -> pa.Table | None:
    try:
        records: list[Any] = _ARRAY.decode(text)
        columns: dict[str, pa.Array] = {"outcome_id": pa.array([one.outcome_id for one in records], pa.string())}
        for key, name in _KEYS.items():
            told = [_told(one, key) for one in records]
            type_ = TOLD_REPORTS.field(name).type
            is_time = pa.types.is_timestamp(type_)
            columns[name] = read_times(pa.array(told, pa.string()), key) if is_time else pa.array(told, type_)
        return pa.table([columns[name] for name in TOLD_REPORTS.names], schema=_nullable(TOLD_REPORTS))
    except (ValueError, RecursionError):
        return None


def _nullable(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field.with_nullable(True) for field in schema])


def _told(record: Any, key: str) -> Any:
    if key == "agent_id" and record.agent_id is None:
        return record.user_id
    # Without the formula's own, it is the formula's: the name that older records use.
    if key == "is_called" and record.formula_is_called is msgspec.UNSET:
        return None
    return getattr(record, key)
