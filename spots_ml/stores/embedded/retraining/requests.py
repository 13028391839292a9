"""Requests for a retraining in SQLite: implements `monitoring.causes.requests.RetrainingRequestLog`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from spots_ml.models.declared import ModelType
from spots_ml.monitoring.causes.requests import OpenRequest, RetrainingRequest
from spots_ml.stores.embedded.database import Database
from spots_ml.stores.moments import to_text
from spots_ml.stores.request_rows import open_requests, row_to_keep

_ASK: Final = """
INSERT INTO retraining_requests (model_type, reason, actor, anew, asked_at)
VALUES (:model_type, :reason, :actor, :anew, :asked_at)
"""
_LAST: Final = "(SELECT max(number) FROM retraining_takings WHERE request = asked.number)"
_OPEN: Final = f"""
SELECT asked.*, taken.number AS taking, taken.taker, taken.taken_at
FROM retraining_requests AS asked LEFT JOIN retraining_takings AS taken ON taken.number = {_LAST}
WHERE asked.model_type = ? AND NOT EXISTS (
    SELECT 1 FROM version_history AS entry JOIN retraining_takings AS took ON took.request = asked.number
    WHERE entry.model_type = asked.model_type AND entry.action IN ('registered', 'reaffirmed')
        AND entry.sequence > took.after_change
) AND NOT EXISTS (
    SELECT 1 FROM refusals JOIN retraining_takings AS took ON took.request = asked.number
    WHERE refusals.model_type = asked.model_type AND refusals.number > took.after_refusal
)
ORDER BY asked.number LIMIT 1000
"""  # noqa: S608 - two constants
_TAKE: Final = """
INSERT INTO retraining_takings (request, taker, taken_at, after_change, after_refusal)
SELECT ?, ?, ?, coalesce((SELECT max(sequence) FROM version_history), 0),
    coalesce((SELECT max(number) FROM refusals), 0)
WHERE coalesce((SELECT max(number) FROM retraining_takings WHERE request = ?), 0) = ?
"""


class EmbeddedRetrainingRequests:
    """Requests and their takings in the embedded store.

    Args:
        database: The embedded store's file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(self, request: RetrainingRequest, *, now: datetime) -> int:
        """Keep a request under the next number; see `RetrainingRequestLog`."""
        row = row_to_keep(request, now)
        with self._database.writing() as connection:
            number = connection.execute(_ASK, row).lastrowid
        assert number is not None
        return number

    def open_requests(self, model_type: ModelType) -> tuple[OpenRequest, ...]:
        """Read what nothing has answered yet; see there."""
        with self._database.reading() as connection:
            found = connection.execute(_OPEN, (model_type,)).fetchall()
        return open_requests((dict(row) for row in found), str(self._database.path))

    def take(self, requests: Sequence[OpenRequest], *, taker: str, now: datetime) -> tuple[int, ...]:
        """Take requests, each unless somebody took it since it was read; see there."""
        at = to_text(now)
        with self._database.writing() as connection:
            return tuple(
                one.number
                for one in requests
                if connection.execute(_TAKE, (one.number, taker, at, one.number, _last(one))).rowcount
            )


def _last(request: OpenRequest) -> int:
    return request.taking.number if request.taking else 0
