"""Requests for a retraining as rows of a store, and back."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from spots_ml.errors import ArtifactError
from spots_ml.monitoring.causes.requests import OpenRequest, RetrainingRequest, Taking
from spots_ml.stores.moments import to_text
from spots_ml.texts import require_line


def row_to_keep(request: RetrainingRequest, now: datetime) -> dict[str, Any]:
    """Turn a request into the columns that both stores have.

    Args:
        request: What is asked.
        now: The present, with a time zone.

    Returns:
        Values by column.

    Raises:
        InputError: When the present has no zone.
        ConfigError: When reason or actor is not one printable line.
    """
    for what in ("reason", "actor"):
        require_line(getattr(request, what), what)
    return {**request.model_dump(), "asked_at": to_text(now)}


def open_requests(rows: Iterable[Mapping[str, Any]], store: str) -> tuple[OpenRequest, ...]:
    """Turn rows into requests.

    Args:
        rows: The columns of a request, and `taking`, `taker` and `taken_at` of its last taking or nulls.
        store: Which store they come from, for messages.

    Returns:
        The requests in the order of their rows.

    Raises:
        ArtifactError: When a row is no request of this program.
    """
    try:
        return tuple(_open_request(row) for row in rows)
    except (KeyError, ValueError) as error:
        raise ArtifactError(
            f"the store {store} holds a request for a retraining that this program cannot read ({error}); "
            "use the program that wrote it"
        ) from error


def _open_request(row: Mapping[str, Any]) -> OpenRequest:
    taking = None
    if row["taking"] is not None:
        taking = Taking(row["taking"], row["taker"], datetime.fromisoformat(row["taken_at"]))
    return OpenRequest(
        number=row["number"],
        asked_at=datetime.fromisoformat(row["asked_at"]),
        taking=taking,
        **{name: row[name] for name in ("model_type", "reason", "actor")},
        anew=bool(row["anew"]),
    )
