"""Record batches regrouped to a wanted size, so that what is written does not depend on how it was read."""

from collections.abc import Iterable, Iterator

import pyarrow as pa


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
