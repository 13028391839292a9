"""Served history from SQLite: implements `scoring.served_history.HistoryServer`.

Only the rows of the asked agents are read, through the index `interactions_by_agent`.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final

import numpy as np

from spots_ml.interactions.judging.merging import coded
from spots_ml.scoring.served_history import Past, ServedHistory, history_at
from spots_ml.stores import watermark
from spots_ml.stores.embedded.database import Database, present
from spots_ml.stores.embedded.interaction_sql import TOLD_BY_THEN
from spots_ml.stores.moments import check_moments
from spots_ml.stores.watermark import Watermark, check_reached

_UNKNOWN_TIME: Final = np.iinfo(np.int64).min
"""NaT as an integer."""

_READ: Final = f"""
SELECT
    coalesce(scored_at, {_UNKNOWN_TIME}),
    coalesce(
        iif(known.outcome_sequence <= :labels, known.first_outcome_at, told.first_outcome_at),
        iif(known.outcome_sequence <= :labels, known.outcome_at, told.outcome_at), {_UNKNOWN_TIME}
    ),
    iif(known.outcome_sequence <= :labels, known.outcome_score, told.outcome_score),
    coalesce(iif(known.outcome_sequence <= :labels, known.outcome_type, told.outcome_type), '')
FROM interactions AS known {TOLD_BY_THEN}
WHERE agent_id = :agent AND known.row_sequence <= :rows
"""  # noqa: S608 - constants of this package
"""One agent's interactions, as known at the watermark (`:labels`, `:rows`)."""


class EmbeddedHistoryServer:
    """History features from the embedded store.

    Args:
        database: The embedded store's file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def serve_history(
        self, agent_ids: Sequence[str | None], at: np.ndarray, *, up_to: str | None = None
    ) -> ServedHistory:
        """Compute the history of agents as it was known at given moments.

        The rules of the interactions were applied when they were imported; they are not applied again here.

        Args:
            agent_ids: `(n_rows,)` ids, None where unknown; or an Arrow array of them.
            at: `(n_rows,)` datetime64 in UTC; NaT where unknown. Interactions of the same instant do not count.
            up_to: A watermark: outcomes and interactions that arrived later are not seen. None: the present one.

        Returns:
            The features, `NO_HISTORY` for agents that are unknown or of whom the store knows nothing before the
            moment, and the watermark.

        Raises:
            InputError: When ids and moments differ in number, the moments are no datetime64, or `up_to` is no
                watermark that this store has reached.
        """
        check_moments(agent_ids, at)
        agents, codes = coded(agent_ids)
        with self._database.consistent() as connection:
            reached = present(connection)
            known = reached if up_to is None else watermark.parse(up_to)
            check_reached(known, reached, str(self._database.path))
            past = _past(connection, agents, known)
        return ServedHistory(values=history_at(past, codes, at), watermark=str(known))


def _past(connection: sqlite3.Connection, agents: Sequence[str], known: Watermark) -> Past:
    counts = np.zeros(len(agents), np.int64)
    cursor = connection.cursor()
    cursor.row_factory = None

    def rows() -> Iterator[list[tuple[Any, ...]]]:
        for code, agent in enumerate(agents):
            found = cursor.execute(_READ, {"labels": known.labels, "agent": agent, "rows": known.rows}).fetchall()
            counts[code] = len(found)
            yield found

    columns = tuple(zip(*chain.from_iterable(rows()), strict=True))
    scored_at, outcome_at, score, kind = columns or ((),) * 4
    return Past(
        agent=np.repeat(np.arange(len(agents)), counts),
        scored_at=np.array(scored_at, np.int64).view("datetime64[us]"),
        outcome_at=np.array(outcome_at, np.int64).view("datetime64[us]"),
        outcome_score=np.array(score, np.float64),
        outcome_type=np.array(kind, dtype=str),
    )
