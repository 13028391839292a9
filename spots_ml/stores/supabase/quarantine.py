"""Reading what imports have set aside, over the API, page by page by its number, up to a point of arrival.

The role that reads in bulk has no grant here: broken records are few, and may say anything about anybody.
"""

from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from spots_ml.interactions.judging.set_aside import rows_set_aside
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.paging import Filter, KeysetRead, read_pages
from spots_ml.stores.watermark import Watermark

_TABLE: Final = "quarantined_interactions"
_NUMBER: Final = "row_sequence"


def read_quarantine(calls: Calls, known: Watermark) -> Iterator[pa.RecordBatch]:
    """Read the broken records up to a point of arrival.

    Args:
        calls: The project.
        known: The point: those of later imports are not shown.

    Yields:
        Rows of schema `INTERACTIONS`, in the order in which they were taken in.

    Raises:
        InputError: When they are not all of those that the server counted, but for those deleted meanwhile.
        CallError: When a call ends in no answer.
    """
    cutoff = Filter(_NUMBER, "lte", str(known.rows))
    for rows in read_pages(calls, KeysetRead(_TABLE, (_NUMBER, "reasons", "record"), (_NUMBER,), cutoff)):
        yield rows_set_aside([(row["record"], row["reasons"]) for row in rows])
