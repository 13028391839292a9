"""Reading what imports have set aside from SQLite, page by page by its number, up to a point of arrival."""

import json
from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from spots_ml.errors import InputError
from spots_ml.interactions.judging.set_aside import rows_set_aside
from spots_ml.stores.embedded import interaction_sql as sql
from spots_ml.stores.embedded.database import Database
from spots_ml.stores.watermark import Watermark

_PAGE_ROWS: Final = 1_000
"""A record's text may be a megabyte long."""
_BEFORE_ALL: Final = -(1 << 62)


def read_quarantine(database: Database, known: Watermark) -> Iterator[pa.RecordBatch]:
    """Read the broken records up to a point of arrival.

    Args:
        database: The embedded store's file.
        known: The point: those of later imports are not shown.

    Yields:
        Rows of schema `INTERACTIONS`, in the order in which they were taken in.

    Raises:
        InputError: At the end, when they are not as many as were counted.
    """
    limits = {"rows": known.rows, "after": _BEFORE_ALL, "page": _PAGE_ROWS}
    with database.reading() as connection:
        expected: int = connection.execute(sql.COUNT_QUARANTINE, {"rows": known.rows}).fetchone()[0]
    n_read = 0
    while n_read < expected:
        with database.reading() as connection:
            rows = connection.execute(sql.READ_QUARANTINE, limits).fetchall()
        if not rows:
            break
        yield rows_set_aside([(row["record"], json.loads(row["reasons"])) for row in rows])
        n_read += len(rows)
        limits["after"] = rows[-1]["row_sequence"]
    if n_read != expected:
        raise InputError(
            f"the store {database.path} gave {n_read:,} of {expected:,} quarantined records; "
            "rows vanished while they were read: read again"
        )
