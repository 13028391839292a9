"""Reads score requests from a Parquet file with flat columns, named as in `request_schema` and `schema`.

What concerns a whole column (absent, unknown, of another type) is one error; what concerns a value stays with its row.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from spots_ml.errors import InputError
from spots_ml.features.contract import DERIVED_FEATURES, RAW_FEATURES
from spots_ml.interactions.columns import floats
from spots_ml.interactions.judging.rules import REASONS
from spots_ml.interactions.reading.records import FIRST_US, LAST_US, derived_mismatch
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.requests.request_schema import ANSWER_COLUMNS, REQUESTS
from spots_ml.troubles import raise_unless_missing

_NOT_LOOKED_AT: Final = {*INTERACTIONS.names, *ANSWER_COLUMNS} - {*REQUESTS.names, "refused"}
_KNOWN: Final = {*REQUESTS.names, *DERIVED_FEATURES, "refused"}
_INT64: Final = np.iinfo(np.int64)
_PANDAS_INDEX: Final = re.compile(r"__index_level_\d+__")


def read_parquet(path: Path, *, batch_rows: int) -> Iterator[pa.RecordBatch]:
    """Read requests from a Parquet file.

    Args:
        path: A file with at least the 34 raw features as columns. Labels and earlier answers are allowed and not looked
            at, except that a row that was `refused` stays so; derived features are compared with what is derived.
        batch_rows: Rows per batch.

    Yields:
        Rows of schema `REQUESTS`; positions count the file's rows from 0.

    Raises:
        InputError: When the file cannot be read, a feature column is missing, a column is unknown or of another type.
    """
    try:
        with pq.ParquetFile(path) as file:
            names = _chosen_columns(path, file.schema_arrow)
            position = 0
            for batch in file.iter_batches(batch_size=batch_rows, columns=names):
                if batch.num_rows:
                    yield _requests(path, batch, position)
                position += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise_unless_missing(error, path)
        raise InputError(
            f"{path}: cannot be read as Parquet ({error}); expected a whole Parquet file with one row per request: "
            "check the path, or write the file again"
        ) from error


def _chosen_columns(path: Path, schema: pa.Schema) -> list[str]:
    """Choose the columns to read after checking all of them; every problem is listed."""
    problems = []
    if missing := [name for name in RAW_FEATURES if name not in schema.names]:
        problems.append(f"feature columns are missing: {', '.join(missing)}")
    if repeated := sorted({name for name in schema.names if schema.names.count(name) > 1}):
        problems.append(f"columns appear twice: {', '.join(repeated)}")
    ignorable = {name for name in schema.names if name in _NOT_LOOKED_AT or _PANDAS_INDEX.fullmatch(name)}
    if unknown := [name for name in schema.names if name not in _KNOWN | ignorable]:
        problems.append(f"columns are unknown: {', '.join(unknown)} (rename or drop them)")
    chosen = [name for name in schema.names if name in _KNOWN and name != "position"]
    for name in chosen:
        if not repeated and (wrong := _wrong_type(name, schema.field(name).type)):
            problems.append(wrong)
    if problems:
        raise InputError(
            f"{path}: {'; '.join(problems)}. Expected one column per name in interactions.request_schema.REQUESTS, "
            f"the {len(RAW_FEATURES)} raw features at least; null says that a value is unknown"
        )
    return chosen


def _wrong_type(name: str, found: pa.DataType) -> str | None:
    """Say what is wrong with a column's type; None when it can be read without guessing."""
    wanted = pa.float64() if name in DERIVED_FEATURES else pa.list_(pa.string())
    if name in REQUESTS.names:
        wanted = REQUESTS.field(name).type
    kind = found.value_type if pa.types.is_dictionary(found) else found
    if pa.types.is_null(kind):
        return None
    if pa.types.is_floating(wanted):
        fits = pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)
        expected = "numbers"
    elif pa.types.is_string(wanted):
        fits, expected = _is_text(kind), "text"
    elif pa.types.is_timestamp(wanted):
        fits, expected = pa.types.is_timestamp(kind) and kind.tz is not None, "timestamps with a time zone"
    else:
        fits = (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and _is_text(kind.value_type)
        expected = "lists of texts"
    return None if fits else f"the column {name} holds {found}, expected {expected}"


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _requests(path: Path, batch: pa.RecordBatch, position: int) -> pa.RecordBatch:
    n_rows = batch.num_rows
    given = {name: batch[name] for name in batch.schema.names}
    columns: dict[str, pa.Array] = {"position": pa.array(np.arange(position, position + n_rows, dtype=np.int64))}
    for name in set(given) & set(REQUESTS.names) - {"scored_at"}:
        columns[name] = _cast(given[name], REQUESTS.field(name).type)
    problems: list[set[str]] = [set() for _ in range(n_rows)]
    if "scored_at" in given:
        columns["scored_at"] = _times(given["scored_at"], problems)
    for name in ("problems", "refused"):
        if name in given and given[name].null_count < n_rows:
            _carry_over(path, given[name], problems)
    _judge_derived(columns, given, problems)
    columns["problems"] = _lists(problems)
    return pa.RecordBatch.from_arrays(
        [columns.get(field.name, pa.nulls(n_rows, field.type)) for field in REQUESTS], schema=REQUESTS
    )


def _cast(column: pa.Array, wanted: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(wanted):
        column.validate(full=True)
    return column if column.type == wanted else column.cast(wanted, safe=False)


def _carry_over(path: Path, column: pa.Array, problems: list[set[str]]) -> None:
    """A row that was refused before stays refused: what it really said is not in the columns."""
    for row, codes in enumerate(column.to_pylist()):
        # A row that says of itself that something is wrong, and not what, is refused, too.
        problems[row].update("malformed_record" if code is None else code for code in codes or ())
    if unknown := sorted(set().union(*problems) - set(REASONS)):
        raise InputError(
            f"{path}: rows carry the reason codes {', '.join(unknown)}, which nobody here gives; "
            f"expected some of: {', '.join(REASONS)}"
        )


def _times(column: pa.Array, problems: list[set[str]]) -> pa.Array:
    """Read times in their own unit: those outside the calendar are unknown, and a problem of their row."""
    wanted = REQUESTS.field("scored_at").type
    if pa.types.is_null(column.type):
        return column.cast(wanted)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    first, last = (_ticks(us, column.type.unit) for us in (FIRST_US, LAST_US))
    ticks = column.cast(pa.int64())
    outside = pc.or_(pc.less(ticks, first), pc.greater(ticks, last)).fill_null(False)
    for row in np.flatnonzero(outside.to_numpy(zero_copy_only=False)).tolist():
        problems[row].add("invalid_timestamp")
    return pc.if_else(outside, pa.scalar(None, column.type), column).cast(wanted, safe=False)


def _ticks(microseconds: int, unit: str) -> int:
    """Say a moment in another unit, within what 64 bits can hold."""
    ticks = microseconds * 1_000 if unit == "ns" else microseconds // {"s": 1_000_000, "ms": 1_000, "us": 1}[unit]
    return min(max(ticks, _INT64.min), _INT64.max)


def _judge_derived(columns: dict[str, pa.Array], given: dict[str, Any], problems: list[set[str]]) -> None:
    """Derived features that a file brings along are compared with what its raw features give."""
    if not any(name in given for name in DERIVED_FEATURES):
        return
    raw = np.stack([floats(columns[name]) for name in RAW_FEATURES], axis=1)
    claimed = np.full((len(raw), len(DERIVED_FEATURES)), np.nan)
    for index, name in enumerate(DERIVED_FEATURES):
        if name in given:
            claimed[:, index] = floats(_cast(given[name], pa.float64()))
    for row in np.flatnonzero(derived_mismatch(raw, claimed)).tolist():
        problems[row].add("derived_mismatch")


def _lists(problems: list[set[str]]) -> pa.Array:
    kind = REQUESTS.field("problems").type
    if not any(problems):
        return pa.nulls(len(problems), kind)
    return pa.array([sorted(codes) or None for codes in problems], kind)
