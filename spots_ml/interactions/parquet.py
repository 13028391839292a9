"""Parquet files whose bytes depend on their rows alone, so that a digest identifies the content.

Batches are regrouped to a fixed size, because how a source was read must not show in what is written.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


@contextlib.contextmanager
def open_writer(path: Path, schema: pa.Schema, metadata: Mapping[str, str]) -> Iterator[pq.ParquetWriter]:
    """Open a Parquet file for writing, batch by batch.

    Args:
        path: The file; overwritten.
        schema: Schema of the batches to come.
        metadata: Facts kept in the file, and so part of its digest.

    Yields:
        The writer; the file is complete when the block ends.
    """
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    facts = {key.encode(): value.encode() for key, value in metadata.items()}
    with pq.ParquetWriter(
        path, schema.with_metadata(facts), compression="zstd", compression_level=1, use_dictionary=texts
    ) as writer:
        yield writer


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
