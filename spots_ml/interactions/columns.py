"""Batches of interactions regrouped, their columns as arrays (null as NaN, NaT or -1), and the agents of a column."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.estimates.agents import Agents
from spots_ml.features.contract import RAW_FEATURES
from spots_ml.interactions.schema import OUTCOME_TYPES

UNIT_COLUMNS: Final = (*RAW_FEATURES, "formula_score", "outcome_score")
"""The columns whose values lie in [0, 1]."""


def numbers(batch: pa.RecordBatch) -> np.ndarray:
    """Take all numbers that lie in [0, 1] out of Arrow.

    Args:
        batch: Rows of schema `INTERACTIONS`.

    Returns:
        `(36, n_rows)` float64, NaN where null: the raw features in contract order, the formula's and the
        outcome's score.
    """
    matrix = np.empty((len(UNIT_COLUMNS), batch.num_rows), np.float64)
    for index, name in enumerate(UNIT_COLUMNS):
        matrix[index] = floats(batch[name])
    return matrix


def floats(column: pa.Array) -> np.ndarray:
    """Take a numeric column out of Arrow.

    Args:
        column: Numbers, possibly null.

    Returns:
        `(n_rows,)` float64, NaN where null.
    """
    values: np.ndarray = column.to_numpy(zero_copy_only=False)
    return values.astype(np.float64, copy=False)


def times(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Take a time column out of Arrow.

    Args:
        column: UTC times, possibly null.

    Returns:
        `(n_rows,)` datetime64[us], NaT where null.
    """
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    values: np.ndarray = whole.to_numpy(zero_copy_only=False)
    return values.astype("datetime64[us]", copy=False)


def first_arrivals(table: pa.RecordBatch | pa.Table) -> np.ndarray:
    """Tell when the first outcome of each row arrived, whether or not it was corrected since.

    Args:
        table: Rows with `outcome_at` and `first_outcome_at`.

    Returns:
        `(n_rows,)` datetime64[us] in UTC, NaT where unknown or not labelled.
    """
    return times(pc.coalesce(table["first_outcome_at"], table["outcome_at"]))


def outcome_codes(batch: pa.RecordBatch | pa.Table) -> np.ndarray:
    """Number the outcome types.

    Args:
        batch: Rows with `outcome_type`.

    Returns:
        `(n_rows,)` int8: position in `OUTCOME_TYPES`, -1 where null or unknown.
    """
    found = pc.index_in(batch["outcome_type"], pa.array(OUTCOME_TYPES)).fill_null(-1)
    numbers: np.ndarray = found.to_numpy(zero_copy_only=False)
    return numbers.astype(np.int8)


def agents_by_appearance(names: pa.ChunkedArray) -> Agents:
    """Number agents in the order in which they first appear, the unknown ones after them.

    Args:
        names: Texts, null where unknown.

    Returns:
        The agents.

    >>> agents_by_appearance(pa.chunked_array([["b", None, "a", "b"]]))
    Agents(code=array([0, 2, 1, 0]), n=3)
    """
    encoded = names.combine_chunks().dictionary_encode()
    code = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    nobody = code < 0
    n_known, n_unknown = len(encoded.dictionary), int(nobody.sum())
    code[nobody] = n_known + np.arange(n_unknown)
    return Agents(code, n_known + n_unknown)


def agents_by_name(names: pa.ChunkedArray) -> Agents:
    """Number agents in the order of their names, the unknown ones after them: the order of the rows decides nothing.

    Args:
        names: Texts, null where unknown.

    Returns:
        The agents.

    >>> agents_by_name(pa.chunked_array([["b", None, "a", "b"]]))
    Agents(code=array([1, 2, 0, 1]), n=3)
    """
    agents = agents_by_appearance(names)
    known = names.combine_chunks().drop_null().unique()
    rank = np.arange(agents.n)
    rank[pc.sort_indices(known).to_numpy()] = np.arange(len(known))
    return Agents(rank[agents.code], agents.n)


def completed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Give rows that were written before a column existed that column, empty.

    Args:
        batch: Rows with some of the columns, in any order.
        schema: The columns wanted; each that is missing must be one that may be null.

    Returns:
        As many rows of that schema.
    """
    have = set(batch.schema.names)
    return pa.RecordBatch.from_arrays(
        [batch[field.name] if field.name in have else pa.nulls(batch.num_rows, field.type) for field in schema],
        schema=schema,
    )


def rebatch(batches: Iterable[pa.RecordBatch], n_rows: int) -> Iterator[pa.RecordBatch]:
    """Regroup batches.

    Args:
        batches: Batches of one schema, any sizes; empty ones vanish.
        n_rows: Rows per batch wanted; at least 1.

    Yields:
        Batches of exactly `n_rows` rows, the last one of at least one row. Nothing for no rows.
    """
    waiting: list[pa.RecordBatch] = []
    n_waiting = 0
    for batch in batches:
        waiting.append(batch)
        n_waiting += batch.num_rows
        while n_waiting >= n_rows:
            joined = pa.concat_batches(waiting)
            yield joined.slice(0, n_rows)
            waiting = [joined.slice(n_rows)]
            n_waiting -= n_rows
    if n_waiting:
        yield pa.concat_batches(waiting)


def rows_in_columns(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    """Put rows into columns; those that no row has cost nothing.

    Args:
        rows: Values by column; an absent one is null.
        schema: The columns.

    Returns:
        As many rows.
    """
    present = set().union(*rows)
    return pa.RecordBatch.from_arrays(
        [
            pa.array([row.get(field.name) for row in rows], field.type)
            if field.name in present
            else pa.nulls(len(rows), field.type)
            for field in schema
        ],
        schema=schema,
    )
