"""Reads records that follow the app's layout exactly, fast: strictly typed decoding straight into columns.

A decoder here either accepts every record it is given or none; what is wrong with the others is said by
`broken_records`, one record at a time.
"""

from operator import attrgetter
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.features.contract import DERIVED_FEATURES, FEATURES, RAW_FEATURES
from spots_ml.features.derived import derive
from spots_ml.interactions.reading.record_layout import (
    CALLED_KEYS,
    DERIVED_KEYS,
    FEATURE_GROUPS,
    IGNORED_KEYS,
    MAX_RECORD_BYTES,
    NUMBER_KEYS,
    PLACEHOLDERS,
    REPORT_KEYS,
    TEXT_KEYS,
    TIME_KEYS,
)
from spots_ml.interactions.schema import INTERACTIONS

DERIVED_TOLERANCE: Final = 0.01
"""How far a derived feature in a record may lie from what its raw features give."""

_Number = float | None
_Text = str | None
_TIME: Final = INTERACTIONS.field("scored_at").type
FIRST_US: Final = int(np.datetime64("0001-01-01", "us").astype(np.int64))
LAST_US: Final = int(np.datetime64("9999-12-31T23:59:59.999999", "us").astype(np.int64))
"""Least and greatest time in microseconds since 1970: the calendar of `datetime`, so that everybody can hold them."""
_DERIVED_INDEX: Final = [FEATURES.index(name) for name in DERIVED_FEATURES]


def _group(name: str) -> type:
    return msgspec.defstruct(
        name,
        [
            *((key, _Number) for key in FEATURE_GROUPS[name]),
            *((key, Any, None) for key in PLACEHOLDERS[name]),
            *((key, _Number, None) for key in DERIVED_KEYS[name]),
        ],
        forbid_unknown_fields=True,
        gc=False,
    )


_GROUPS: Final = {name: _group(name) for name in FEATURE_GROUPS}
Record: Final = msgspec.defstruct(
    "Record",
    [
        *_GROUPS.items(),
        ("formula_calling_score", _Number),
        *((key, bool | None | msgspec.UnsetType, msgspec.UNSET) for key in CALLED_KEYS),
        ("outcome_type", _Text, None),
        ("outcome_score", _Number, None),
        *((key, _Text, None) for key in (*TEXT_KEYS, *TIME_KEYS)),
        *((key, Any, None) for key in IGNORED_KEYS),
    ],
    forbid_unknown_fields=True,
    gc=False,
)
"""One record that follows the layout exactly."""

_ARRAY_DECODER: Final = msgspec.json.Decoder(list[Record])  # type: ignore[valid-type]
_RECORD_DECODER: Final = msgspec.json.Decoder(Record)


def decode_array(text: bytes) -> pa.RecordBatch | None:
    """Read the text of a JSON array of records.

    Args:
        text: UTF-8 JSON, brackets included.

    Returns:
        One row per record in schema `INTERACTIONS`, positions counted from 0; `None` when any record strays
        from the layout in any way, or the text is not an array of objects.
    """
    try:
        return columns(_ARRAY_DECODER.decode(text))
    except (ValueError, RecursionError):
        return None


def decode_record(text: bytes) -> pa.RecordBatch | None:
    """Read the text of one record.

    Args:
        text: UTF-8 JSON of an object.

    Returns:
        One row; `None` when the record strays from the layout in any way.
    """
    try:
        return columns([_RECORD_DECODER.decode(text)])
    except (ValueError, RecursionError):
        return None


def decode_record_only(text: bytes) -> Any | None:
    """Read the text of one record without making columns of it.

    Args:
        text: UTF-8 JSON of an object.

    Returns:
        A `Record`; `None` when it strays from the layout.
    """
    if len(text) > MAX_RECORD_BYTES:
        return None
    try:
        return _RECORD_DECODER.decode(text)
    except (ValueError, RecursionError):
        return None


def columns(records: list[Any]) -> pa.RecordBatch:
    """Put records into columns.

    Args:
        records: `Record`s, in order.

    Returns:
        One row per record in schema `INTERACTIONS`, positions counted from 0.

    Raises:
        ValueError: When a time cannot be read, a key is present under two names, or neither `is_called` key
            is there.
    """
    n_rows = len(records)
    groups = {name: list(map(attrgetter(name), records)) for name in FEATURE_GROUPS}
    raw = np.stack([_numbers(groups[name], key) for name, keys in FEATURE_GROUPS.items() for key in keys])
    known: dict[str, pa.Array] = {
        "position": pa.array(np.arange(n_rows, dtype=np.int64)),
        **{name: number_column(raw[index]) for index, name in enumerate(RAW_FEATURES)},
        "agent_id": pa.array(_either(records, "agent_id", "user_id", None), pa.string()),
        "opportunity_id": _texts(records, "opportunity_id"),
        "is_called": pa.array(_called(records), pa.bool_()),
        "outcome_type": _texts(records, "outcome_type"),
        **{column: number_column(_numbers(records, key)) for key, column in NUMBER_KEYS.items()},
        **{column: read_times(_texts(records, key), key) for key, column in TIME_KEYS.items()},
        "first_outcome_at": pa.nulls(n_rows, _TIME),
        "record": pa.nulls(n_rows, pa.string()),
        "problems": _derived_problems(groups, raw),
    }
    return pa.RecordBatch.from_arrays([known[name] for name in INTERACTIONS.names], schema=INTERACTIONS)


def number_column(values: np.ndarray) -> pa.Array:
    """Make a column in which NaN is null.

    Args:
        values: `(n_rows,)` floats.

    Returns:
        A float64 column.
    """
    return pa.array(np.ascontiguousarray(values, dtype=np.float64), pa.float64(), from_pandas=True)


def derived_mismatch(raw: np.ndarray, claimed: np.ndarray) -> np.ndarray:
    """Compare derived features that records bring with what their raw features give.

    Args:
        raw: `(n_rows, 34)` floats in contract order; NaN where unknown.
        claimed: `(n_rows, 5)` floats in the order of `DERIVED_FEATURES`; NaN where the record brings none.

    Returns:
        `(n_rows,)` bool: whether any of them differs by more than `DERIVED_TOLERANCE`. Unknown on either side
        does not.
    """
    derived = derive(raw)[:, _DERIVED_INDEX]
    differs: np.ndarray = (np.abs(derived - claimed) > DERIVED_TOLERANCE).any(axis=1)
    return differs


def _numbers(records: list[Any], key: str) -> np.ndarray:
    """Take one number out of each record; NaN where it is null."""
    get = attrgetter(key)
    try:
        return np.fromiter(map(get, records), np.float64, len(records))
    except TypeError:
        return np.array(list(map(get, records)), dtype=np.float64)


def _texts(records: list[Any], key: str) -> pa.Array:
    return pa.array(list(map(attrgetter(key), records)), pa.string())


def read_times(texts: pa.Array, key: str) -> pa.Array:
    """Read times that are written as ISO 8601 with a zone.

    Args:
        texts: Strings, null where unknown.
        key: What they are called, for the message.

    Returns:
        UTC times, within the years 1 to 9999.

    Raises:
        ValueError: When any of them cannot be read or lies outside these years.
    """
    times = texts.cast(_TIME)
    ends = pc.min_max(times.cast(pa.int64())).as_py()
    if ends["min"] is not None and (ends["min"] < FIRST_US or ends["max"] > LAST_US):
        raise ValueError(f"{key} lies outside the years 1 to 9999")
    return times


def _either(records: list[Any], new: str, old: str, absent: object) -> list[Any]:
    """Take a value under its new name, else under its old one."""
    values, older = (list(map(attrgetter(key), records)) for key in (new, old))
    if older.count(absent) == len(older):
        return values
    if values.count(absent) == len(values):
        return older
    if any(a is not absent and b is not absent for a, b in zip(values, older, strict=True)):
        raise ValueError(f"both {new} and {old}")
    return [b if a is absent else a for a, b in zip(values, older, strict=True)]


def _called(records: list[Any]) -> list[bool | None]:
    formulas, phones = (list(map(attrgetter(key), records)) for key in CALLED_KEYS)
    called = formulas
    if phones.count(msgspec.UNSET) < len(phones):
        called = [phone if own is msgspec.UNSET else own for own, phone in zip(formulas, phones, strict=True)]
        for record, own, phone in zip(records, called, phones, strict=True):
            if phone is not msgspec.UNSET and own is not phone and not _reports(record):
                raise ValueError(f"{' and '.join(CALLED_KEYS)} contradict each other")
    if called.count(msgspec.UNSET):
        raise ValueError(f"neither {' nor '.join(CALLED_KEYS)}")
    return called


def _reports(record: Any) -> bool:
    return any(getattr(record, key) is not None for key in REPORT_KEYS)


def _derived_problems(groups: dict[str, list[Any]], raw: np.ndarray) -> pa.Array:
    n_rows = raw.shape[1]
    none = pa.nulls(n_rows, INTERACTIONS.field("problems").type)
    claimed = [list(map(attrgetter(key), groups[name])) for name, keys in DERIVED_KEYS.items() for key in keys]
    if all(column.count(None) == n_rows for column in claimed):
        return none
    wrong = derived_mismatch(raw.T, np.array(claimed, dtype=np.float64).T)
    if not wrong.any():
        return none
    return pa.array([["derived_mismatch"] if one else None for one in wrong], none.type)
