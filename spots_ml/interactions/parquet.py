"""Parquet files whose bytes depend on their rows alone, so that a digest identifies the content."""

import contextlib
from collections.abc import Iterator, Mapping
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
