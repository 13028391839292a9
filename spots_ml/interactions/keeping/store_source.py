"""A store as a source to learn from: its interactions, and behind them what it set aside at its door."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

import numpy as np
import pyarrow as pa

from spots_ml.interactions.keeping.interaction_store import InteractionReader
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.interactions.source import InteractionStream


def read_store(store: InteractionReader) -> InteractionStream:
    """Read all that a store was told up to its present point of arrival, broken records included.

    Args:
        store: The store.

    Returns:
        The interactions in the order of their arrival, then the records that were set aside in the order of theirs: a
        share of broken records that is taken of this is that of what was told, not of what was accepted.

    Raises:
        EmptyStoreError: When the store holds no interactions at all.
        InputError: While reading: when rows are missing.
    """
    watermark = store.label_watermark()
    stream = store.read_interactions(up_to=watermark)
    return replace(stream, batches=_numbered(chain(stream.batches, store.read_quarantine(watermark))))


def _numbered(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    start = 0
    for batch in batches:
        positions = pa.array(np.arange(start, start + batch.num_rows, dtype=np.int64))
        yield batch.set_column(0, INTERACTIONS.field("position"), positions)
        start += batch.num_rows
