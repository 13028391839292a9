"""Reads single score requests: straight into columns where one follows the layout exactly, slowly where it does not.

The slow way says everything that is wrong. Both lean on the readers of training records (`records`, `broken_records`):
what is said here is only how a request differs from a record. How a source is cut into requests is in `requests` and
`request_lines`.
"""

import json
import math
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.interactions.columns import rows_in_columns
from spots_ml.interactions.reading import records
from spots_ml.interactions.reading.broken_records import kept_text, read_parsed, read_record
from spots_ml.interactions.reading.record_layout import FEATURE_GROUPS, IGNORED_KEYS, MAX_RECORD_BYTES, TEXT_KEYS
from spots_ml.requests.request_schema import (
    EXTRA_NUMBERS,
    HISTORY_KEY,
    LABEL_KEYS,
    REQUESTS,
)

_Number = float | None
_SET_ASIDE: Final = {f"label_{number}": key for number, key in enumerate(LABEL_KEYS)}
_NO_LABELS: Final = {key: msgspec.UNSET if key == "is_called" else None for key in LABEL_KEYS}
"""What `records.columns` finds in place of labels."""

_History: Final = msgspec.defstruct(
    "History", [(name, _Number) for name in HISTORY_FEATURES], forbid_unknown_fields=True, gc=False
)
_Request: Final = msgspec.defstruct(
    "Request",
    [
        *((field.name, field.type) for field in msgspec.structs.fields(records.Record) if field.name in FEATURE_GROUPS),
        *((key, str | None, None) for key in TEXT_KEYS),
        ("timestamp", str | None, None),
        (HISTORY_KEY, _History | None, None),
        *((key, _Number, None) for key in EXTRA_NUMBERS),
        *((key, Any, None) for key in (*_SET_ASIDE, *IGNORED_KEYS)),
    ],
    rename=_SET_ASIDE,
    namespace=_NO_LABELS,
    forbid_unknown_fields=True,
    gc=False,
)
_ARRAY_DECODER: Final = msgspec.json.Decoder(list[_Request])  # type: ignore[valid-type]
_DECODER: Final = msgspec.json.Decoder(_Request)


def decode_requests(text: bytes) -> pa.RecordBatch | None:
    """Read the text of a JSON array of requests.

    Args:
        text: UTF-8 JSON, brackets included.

    Returns:
        One row per request in schema `REQUESTS`, positions counted from 0; `None` when any request strays from the
        layout in any way, or the text is not an array of objects.
    """
    try:
        return _columns(_ARRAY_DECODER.decode(text))
    except (ValueError, RecursionError):
        return None


def read_texts(texts: list[bytes]) -> pa.RecordBatch:
    """Read the texts of single requests: fast where one allows it, otherwise saying what is wrong with it.

    Args:
        texts: Each the text of one JSON value, or of anything at all.

    Returns:
        One row per text in schema `REQUESTS`, positions counted from 0. `problems` holds the reason codes found while
        reading, and `record` the text then.
    """
    decoded = list(map(_decode, texts))
    fast, read = _in_columns(decoded, [row for row, request in enumerate(decoded) if request is not None])
    slow = sorted(set(range(len(texts))) - set(fast))
    if not slow:
        return read
    both = pa.concat_batches([read, _described([texts[row] for row in slow])])
    return numbered(both.take(pa.array(np.argsort([*fast, *slow]))), 0)


def numbered(batch: pa.RecordBatch, first: int) -> pa.RecordBatch:
    """Number rows from a position on.

    Args:
        batch: Rows of schema `REQUESTS`.
        first: Position of the first.

    Returns:
        The rows with new positions, without gaps.
    """
    return positioned(batch, np.arange(first, first + batch.num_rows, dtype=np.int64))


def positioned(batch: pa.RecordBatch, positions: np.ndarray) -> pa.RecordBatch:
    """Give rows their positions.

    Args:
        batch: Rows of schema `REQUESTS`.
        positions: `(n_rows,)` int64.

    Returns:
        The rows with these positions.
    """
    return batch.set_column(0, REQUESTS.field("position"), pa.array(positions, pa.int64()))


def read_request(text: bytes) -> dict[str, Any]:
    """Read one request of any shape, slowly, and say everything that is wrong with it.

    Args:
        text: The request's bytes; anything at all.

    Returns:
        Values by column of `REQUESTS` (absent: null) without `position`. `problems` holds the reason codes found,
        sorted, and `record` the text; both are absent when nothing is wrong.
    """
    if len(text) > MAX_RECORD_BYTES:
        return read_record(text)
    try:
        request = json.loads(text.decode("utf-8"), parse_int=float)
        if not isinstance(request, dict):
            return read_record(text)
    except (ValueError, RecursionError):
        return read_record(text)
    extras = {key: request.pop(key, None) for key in (HISTORY_KEY, *EXTRA_NUMBERS)}
    row = read_parsed(request | dict.fromkeys(LABEL_KEYS), text)
    problems = {*row.get("problems", ()), *_read_extras(extras, row)}
    if problems:
        row |= {"problems": sorted(problems), "record": kept_text(text)}
    return row


def _decode(text: bytes) -> Any | None:
    if len(text) > MAX_RECORD_BYTES:
        return None
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None


def _in_columns(decoded: list[Any], rows: list[int]) -> tuple[list[int], pa.RecordBatch]:
    """Put decoded requests into columns, leaving out those that cannot be: gives the rows that are in, too."""
    try:
        return rows, _columns([decoded[row] for row in rows])
    except ValueError:
        named_once = [row for row in rows if decoded[row].agent_id is None or decoded[row].user_id is None]
        readable = _with_readable_times(decoded, named_once)
        return readable, _columns([decoded[row] for row in readable])


def _with_readable_times(decoded: list[Any], rows: list[int]) -> list[int]:
    """Find the requests whose time can be read, by halving."""
    if _are_readable([decoded[row].timestamp for row in rows]):
        return rows
    if len(rows) == 1:
        return []
    half = len(rows) // 2
    return [*_with_readable_times(decoded, rows[:half]), *_with_readable_times(decoded, rows[half:])]


def _are_readable(times: list[str | None]) -> bool:
    try:
        records.read_times(pa.array(times, pa.string()), "timestamp")
    except ValueError:
        return False
    return True


def _described(texts: list[bytes]) -> pa.RecordBatch:
    read = {text: read_request(text) for text in set(texts)}
    return rows_in_columns([{"position": 0, **read[text]} for text in texts], REQUESTS)


def _columns(requests: list[Any]) -> pa.RecordBatch:
    """Put decoded requests into columns; ValueError when a time cannot be read, or an id has two names."""
    shared = records.columns(requests)
    own = {name: _floats([getattr(request, name) for request in requests]) for name in EXTRA_NUMBERS}
    histories = [getattr(request, HISTORY_KEY) for request in requests]
    for name in HISTORY_FEATURES:
        own[name] = _floats([None if history is None else getattr(history, name) for history in histories])
    return pa.RecordBatch.from_arrays(
        [own[name] if name in own else shared[name] for name in REQUESTS.names], schema=REQUESTS
    )


def _floats(values: list[float | None]) -> pa.Array:
    return pa.nulls(len(values), pa.float64()) if values.count(None) == len(values) else pa.array(values, pa.float64())


def _read_extras(extras: dict[str, Any], row: dict[str, Any]) -> set[str]:
    """Read what only a request has into its row; gives the reason codes found."""
    problems: set[str] = set()
    history = extras[HISTORY_KEY]
    if isinstance(history, dict):
        if any(name not in history for name in HISTORY_FEATURES):
            problems.add("missing_key")
        if any(name not in HISTORY_FEATURES for name in history):
            problems.add("unknown_key")
    elif history is not None:
        problems.add("wrong_type")
    given = {name: history.get(name) for name in HISTORY_FEATURES} if isinstance(history, dict) else {}
    for name, value in (given | {name: extras[name] for name in EXTRA_NUMBERS}).items():
        if value is None:
            continue
        if not isinstance(value, float):
            problems.add("wrong_type")
        elif not math.isfinite(value):
            problems.add("not_finite")
        else:
            row[name] = value
    return problems
