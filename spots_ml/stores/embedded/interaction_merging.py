"""Merging what a stream tells several times, and what it tells of known interactions; the rule is in `judging.merging`.

Page by page, so that memory does not grow with the stream: any grouping of the same records gives the same result.
"""

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from spots_ml.interactions.judging.merging import merged
from spots_ml.stores.embedded import interaction_sql as sql
from spots_ml.stores.embedded.interaction_rows import interactions_of_rows, rows_of_interactions

_PAGE_ROWS: Final = 20_000
_SAID: Final = (
    *("scored_at", "features", "formula_score", "is_called"),
    *("outcome_type", "outcome_score", "outcome_at", "first_outcome_at"),
)
"""What merging may change: what `sql.RESTATE` and `sql.UPDATE` take before the place."""


def merge_repeated(connection: sqlite3.Connection) -> None:
    """Leave one record of each interaction in `incoming`, the first, which says what all of them say together.

    Args:
        connection: With `incoming` filled.
    """
    connection.execute(sql.INDEX)
    connection.execute(sql.FIND_REPEATED)
    for page in _pages(connection, sql.REPEATED, "repeated"):
        connection.executemany(sql.RESTATE, ((*said, place) for place, said in _together(page)))
    connection.execute(sql.FORGET_REPEATED)


def merge_into_known(connection: sqlite3.Connection) -> int:
    """Add what `incoming` says to the interactions that are known.

    Args:
        connection: In a write transaction, with one record of each interaction in `incoming`.

    Returns:
        How many interactions were changed.
    """
    n_updated = 0
    connection.execute(sql.FIND_NEWS)
    for page in _pages(connection, sql.NEWS, "news"):
        known = {row["place"]: tuple(row[name] for name in _SAID) for row in page if row["is_known"]}
        changed = [(*said, place) for place, said in _together(page) if said != known[place]]
        connection.executemany(sql.UPDATE, changed)
        n_updated += len(changed)
    return n_updated


def _pages(connection: sqlite3.Connection, query: str, table: str) -> Iterator[list[sqlite3.Row]]:
    n_rows = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - a table of this module
    for after in range(0, n_rows, _PAGE_ROWS):
        yield connection.execute(query, {"after": after, "page": _PAGE_ROWS}).fetchall()


def _together(records: list[sqlite3.Row]) -> Iterator[tuple[int, tuple[Any, ...]]]:
    places = np.array([row["place"] for row in records])
    together = rows_of_interactions(merged(interactions_of_rows(records, 0), places))
    for place, (_, _, _, _, *said) in zip(np.unique(places).tolist(), together, strict=True):
        yield place, tuple(said)
