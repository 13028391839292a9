"""The requests of one day (UTC): from a folder of candidate pairs, or from interactions that are scored again."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.errors import InputError
from spots_ml.requests.reading import read_requests
from spots_ml.requests.request_schema import REQUESTS


@dataclass
class DayCount:
    """How the rows of a source fall on the day that is asked for.

    Attributes:
        n_read: Rows of the day.
        n_undated: Rows without a moment, which are among them.
        n_elsewhere: Rows of other days that were read; a store gives none.
    """

    n_read: int = 0
    n_undated: int = 0
    n_elsewhere: int = 0


def read_pairs(path: Path) -> Iterator[pa.RecordBatch]:
    """Read candidate pairs.

    Args:
        path: A Parquet file, or a folder whose `*.parquet` files are read in the order of their names.

    Yields:
        Rows of schema `REQUESTS`; positions count on from file to file.

    Raises:
        InputError: When there is no such file, the folder holds none, or one cannot be read.
    """
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: the folder holds no *.parquet; put files with candidate pairs there, or name one")
    before = 0
    for file in files:
        n_rows = 0
        for batch in read_requests(file, format="parquet"):
            positions = pc.add(batch["position"], before)
            n_rows += batch.num_rows
            yield batch.set_column(0, REQUESTS.field("position"), positions)
        before += n_rows


def interactions_as_requests(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Ask again for interactions: what became of them is left out.

    Args:
        batches: Rows of schema `INTERACTIONS`.

    Yields:
        As many rows of schema `REQUESTS`; their history is unknown, to be served.
    """
    for batch in batches:
        columns = [
            batch[field.name] if field.name in batch.schema.names else pa.nulls(batch.num_rows, field.type)
            for field in REQUESTS
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=REQUESTS)


def of_day(
    batches: Iterable[pa.RecordBatch], start: datetime, end: datetime, count: DayCount, *, undated: bool
) -> Iterator[pa.RecordBatch]:
    """Keep the requests of a day.

    Args:
        batches: Rows of schema `REQUESTS`.
        start: Begin of the day, with a time zone; inclusive.
        end: Its end; exclusive.
        count: Counted up.
        undated: Whether a row without a moment belongs to every day and is dated at its begin, so that scoring the day
            again decides the same; otherwise such rows belong to none.

    Yields:
        The rows of the day, in their order.
    """
    kind = REQUESTS.field("scored_at").type
    first, last = pa.scalar(start, kind), pa.scalar(end, kind)
    index = REQUESTS.get_field_index("scored_at")
    for batch in batches:
        moments = batch["scored_at"]
        if undated:
            count.n_undated += moments.null_count
            moments = moments.fill_null(first)
            batch = batch.set_column(index, REQUESTS.field(index), moments)
        inside = pc.and_(pc.greater_equal(moments, first), pc.less(moments, last)).fill_null(False)
        kept = batch.filter(inside)
        count.n_read += kept.num_rows
        count.n_elsewhere += batch.num_rows - kept.num_rows
        if kept.num_rows:
            yield kept
