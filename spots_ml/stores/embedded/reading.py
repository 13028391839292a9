"""Reading interactions from SQLite, as they were known at a point of arrival: all of them, or those within bounds.

Everything is read page by page by the number of the row. What is bounded is found first, through the index on agents or
on moments: numbers alone, sorted, so that a read costs what it gives back and not what the store holds.
"""

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa

from spots_ml.errors import InputError
from spots_ml.interactions.keeping.interaction_store import EmptyStoreError
from spots_ml.interactions.kinds import SOURCE_KINDS, SourceKind, kind_of
from spots_ml.interactions.source import InteractionStream
from spots_ml.stores.embedded import interaction_sql as sql
from spots_ml.stores.embedded.database import Database
from spots_ml.stores.embedded.interaction_rows import interactions_of_rows
from spots_ml.stores.moments import to_microseconds
from spots_ml.stores.read_bounds import ReadBounds
from spots_ml.stores.watermark import Watermark

_PAGE_ROWS: Final = 50_000
_ALWAYS: Final = np.iinfo(np.int64)


def read_stream(database: Database, known: Watermark, bounds: ReadBounds) -> InteractionStream:
    """Read interactions as they were known at a point of arrival.

    Args:
        database: The embedded store's file.
        known: The point: outcomes and interactions that arrived later are not shown.
        bounds: Which interactions.

    Returns:
        The interactions in the order of their arrival, with the watermark. Its kind is that of all imported data,
        `hybrid` when kinds are mixed.

    Raises:
        EmptyStoreError: When the store holds none at all.
        InputError: While reading: when rows are missing.
    """
    with database.consistent() as connection:
        kinds = _kinds(connection, known)
        if not kinds:
            raise EmptyStoreError(f"the store {database.path}")
        if bounds.is_everything:
            expected: int = connection.execute(sql.COUNT, {"rows": known.rows}).fetchone()[0]
            pages = _pages_of_all(database, known, expected)
        else:
            numbers = _numbers(connection, known, bounds)
            expected = len(numbers)
            pages = _pages_of(database, known, numbers)
    return InteractionStream(
        kind=kind_of(kinds),
        batches=_whole(pages, expected, database),
        description=f"embedded store {database.path.name}, {expected:,} interactions {bounds}".rstrip(),
        watermark=str(known),
    )


def _kinds(connection: sqlite3.Connection, known: Watermark) -> list[SourceKind]:
    """Which kinds there are; each is one look into an index."""
    firsts = ((kind, connection.execute(sql.FIRST_OF_KIND, (kind,)).fetchone()[0]) for kind in SOURCE_KINDS)
    return [kind for kind, first in firsts if first is not None and first <= known.rows]


def _numbers(connection: sqlite3.Connection, known: Watermark, bounds: ReadBounds) -> np.ndarray:
    """Find the numbers of the rows within bounds, sorted; int64."""
    limits = {
        "rows": known.rows,
        "since": _ALWAYS.min if bounds.since is None else to_microseconds(bounds.since),
        "until": _ALWAYS.max if bounds.until is None else to_microseconds(bounds.until),
    }
    if bounds.agents is None:
        found = connection.execute(sql.NUMBERS_OF_PERIOD, limits)
    else:
        connection.execute(sql.ASKED)
        connection.executemany("INSERT INTO asked VALUES (?)", ((agent,) for agent in bounds.agents))
        found = connection.execute(
            sql.NUMBERS_OF_AGENTS_IN_PERIOD if bounds.has_period else sql.NUMBERS_OF_AGENTS, limits
        )
    return np.sort(np.fromiter((row[0] for row in found), np.int64))


def _pages_of_all(database: Database, known: Watermark, expected: int) -> Iterator[list[sqlite3.Row]]:
    limits: dict[str, Any] = {"labels": known.labels, "after": -1, "rows": known.rows, "page": _PAGE_ROWS}
    n_read = 0
    while n_read < expected:
        with database.reading() as connection:
            rows = connection.execute(sql.READ, limits).fetchall()
        if not rows:
            return
        yield rows
        n_read += len(rows)
        limits["after"] = rows[-1]["row_sequence"]


def _pages_of(database: Database, known: Watermark, numbers: np.ndarray) -> Iterator[list[sqlite3.Row]]:
    for start in range(0, len(numbers), _PAGE_ROWS):
        page = numbers[start : start + _PAGE_ROWS].tolist()
        with database.consistent() as connection:
            connection.execute(sql.WANTED)
            connection.executemany("INSERT INTO wanted VALUES (?)", ((number,) for number in page))
            rows = connection.execute(sql.READ_WANTED, {"labels": known.labels}).fetchall()
        if rows:
            yield rows


def _whole(pages: Iterator[list[sqlite3.Row]], expected: int, database: Database) -> Iterator[pa.RecordBatch]:
    """Number the rows, and insist that they are as many as were counted."""
    position = 0
    for rows in pages:
        yield interactions_of_rows(rows, position)
        position += len(rows)
    if position != expected:
        raise InputError(
            f"the store {database.path} gave {position:,} of {expected:,} interactions; "
            "rows vanished while they were read: read again"
        )
