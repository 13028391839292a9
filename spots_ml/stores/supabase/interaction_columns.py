"""Rows of the view `interactions` as columns of schema `INTERACTIONS`, whichever way they came.

Most rows bring their features as an array of numbers. A row that says anything a number is not brings its record
instead, which is read by what reads the app's exports: so a broken value is told alike wherever it comes from.
"""

import json
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.features.contract import DERIVED_FEATURES, FEATURES, RAW_FEATURES
from spots_ml.interactions.reading.broken_records import read_record
from spots_ml.interactions.reading.records import decode_record, derived_mismatch, number_column
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.stores.watermark import Watermark

_TOLD_OF_A_ROW: Final = ("agent_id", "opportunity_id", "scored_at", "formula_score", "is_called")
_TOLD_OF_ITS_OUTCOME: Final = ("outcome_type", "outcome_score", "outcome_at", "first_outcome_at")
_RECORDED: Final = ("outcome_type", "outcome_score", "outcome_timestamp")
"""The outcome in a record of the app's export."""

ROWS: Final = pa.schema(
    [
        pa.field("row_sequence", pa.int64()),
        pa.field("label_sequence", pa.int64()),
        pa.field("outcome_sequence", pa.int64()),
        *(INTERACTIONS.field(name) for name in (*_TOLD_OF_A_ROW, *_TOLD_OF_ITS_OUTCOME)),
        pa.field("features", pa.list_(pa.float64())),
        pa.field("told", pa.string()),
        pa.field("record", pa.string()),
        pa.field("unlabelled_record", pa.string()),
    ]
)
"""What is read of the view; `features` are the 39 of the contract in its order, null where there is a record.

`told` is a list of all that was told of an outcome, where it is more than one entry: its number, then the outcome.
"""

_RAW: Final = np.array([FEATURES.index(name) for name in RAW_FEATURES])
_DERIVED: Final = np.array([FEATURES.index(name) for name in DERIVED_FEATURES])
_PROBLEMS: Final = INTERACTIONS.field("problems").type


def rows_of_json(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """Put rows of the API into columns.

    Args:
        rows: One object per row with the columns of `ROWS`.

    Returns:
        As many rows of schema `ROWS`.

    Raises:
        ValueError: When a value is not of its column's type.
    """
    return pa.RecordBatch.from_arrays(
        [_column([row[field.name] for row in rows], field.type) for field in ROWS], schema=ROWS
    )


def to_interactions(rows: pa.RecordBatch, known: Watermark, first_position: int) -> pa.RecordBatch:
    """Turn rows into interactions, as they were known at a point of arrival.

    Args:
        rows: Of schema `ROWS`.
        known: Outcomes that arrived later are not shown.
        first_position: Position of the first of them in the stream.

    Returns:
        As many rows of schema `INTERACTIONS`, in the same order.
    """
    rows = _as_known(rows, known.labels)
    plain = rows["features"].is_valid()
    if plain.false_count == 0:
        read = _plain(rows)
    else:
        parts = [_plain(rows.filter(plain)), *map(_described, rows.filter(pc.invert(plain)).to_pylist())]
        is_plain = plain.to_numpy(zero_copy_only=False)
        order = np.argsort(np.concatenate([np.flatnonzero(is_plain), np.flatnonzero(~is_plain)]))
        read = pa.Table.from_batches(parts).take(pa.array(order)).combine_chunks().to_batches()[0]
    positions = np.arange(first_position, first_position + rows.num_rows, dtype=np.int64)
    return read.set_column(0, INTERACTIONS.field("position"), pa.array(positions))


def _as_known(rows: pa.RecordBatch, labels: int) -> pa.RecordBatch:
    """Put the outcomes in place that the log told up to an entry."""
    labelled = pc.less_equal(rows["label_sequence"], labels).fill_null(False)
    told_since = pc.and_(labelled, pc.greater(rows["outcome_sequence"], labels).fill_null(False))
    earlier = [_entry_by(text, labels) for text in rows["told"].filter(told_since).to_pylist()]
    records = pc.if_else(pc.and_(labelled, pc.invert(told_since)), rows["record"], rows["unlabelled_record"])
    if earlier and records.null_count < rows.num_rows:
        texts = rows["unlabelled_record"].filter(told_since).to_pylist()
        records = pc.replace_with_mask(records, told_since, pa.array(map(_with_outcome, texts, earlier), pa.string()))
    rows = rows.set_column(rows.schema.get_field_index("record"), "record", records)
    for place, name in enumerate(_TOLD_OF_ITS_OUTCOME):
        column = pc.if_else(labelled, rows[name], pa.scalar(None, rows[name].type))
        if earlier:
            values = _column([entry[place] for entry in earlier], column.type)
            column = pc.replace_with_mask(column, told_since, values)
        rows = rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), column)
    return rows


def _with_outcome(record: str | None, outcome: list[Any]) -> str | None:
    """Put an outcome into a record that has keys, none of them of an outcome: in front of its last brace."""
    return record and f"{record[:-1]}, {json.dumps(dict(zip(_RECORDED, outcome, strict=False)))[1:]}"


def _entry_by(told: str, labels: int) -> list[Any]:
    """Find the outcome of the latest entry up to a number."""
    latest: list[Any] = [entry for entry in json.loads(told) if entry[0] <= labels][-1]
    return latest[1:]


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.string()).cast(kind)
    if pa.types.is_list(kind):
        # JSON writes a large double as a whole number, which Arrow takes for one that may not be rounded.
        values = [row and [number and float(number) for number in row] for row in values]
    return pa.array(values, kind)


def _plain(rows: pa.RecordBatch) -> pa.RecordBatch:
    features = rows["features"].flatten().to_numpy(zero_copy_only=False).reshape(-1, len(FEATURES))
    by_feature = np.ascontiguousarray(features.T)
    columns = {name: number_column(by_feature[index]) for index, name in zip(_RAW, RAW_FEATURES, strict=True)}
    columns |= {name: rows[name] for name in (*_TOLD_OF_A_ROW, *_TOLD_OF_ITS_OUTCOME)}
    columns["problems"] = _derived_problems(features)
    return pa.RecordBatch.from_arrays(
        [columns[field.name] if field.name in columns else _absent(field, rows.num_rows) for field in INTERACTIONS],
        schema=INTERACTIONS,
    )


def _absent(field: pa.Field, n_rows: int) -> pa.Array:
    return pa.nulls(n_rows, field.type) if field.nullable else pa.array(np.zeros(n_rows, np.int64), field.type)


def _derived_problems(features: np.ndarray) -> pa.Array:
    claiming = np.flatnonzero(~np.isnan(features[:, _DERIVED]).all(axis=1))
    wrong = claiming[derived_mismatch(features[np.ix_(claiming, _RAW)], features[np.ix_(claiming, _DERIVED)])]
    if len(wrong) == 0:
        return pa.nulls(len(features), _PROBLEMS)
    problems: list[list[str] | None] = [None] * len(features)
    for row in wrong:
        problems[row] = ["derived_mismatch"]
    return pa.array(problems, _PROBLEMS)


def _described(row: dict[str, Any]) -> pa.RecordBatch:
    text = row["record"].encode()
    read = decode_record(text)
    if read is None:
        return pa.RecordBatch.from_pylist([{"position": 0, **read_record(text)}], INTERACTIONS)
    first = pa.array([row["first_outcome_at"]], INTERACTIONS.field("first_outcome_at").type)
    return read.set_column(INTERACTIONS.get_field_index("first_outcome_at"), "first_outcome_at", first)
