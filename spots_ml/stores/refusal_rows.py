"""Refusals as documents of JSON and back."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from spots_ml.errors import ArtifactError
from spots_ml.monitoring.refusals import KeptRefusal


def from_rows(rows: Iterable[tuple[int, str, dict[str, Any]]], store: str) -> tuple[KeptRefusal, ...]:
    """Turn rows into refusals.

    Args:
        rows: Number, moment and document of each.
        store: Which store they come from, for messages.

    Returns:
        The refusals in the order of their rows.

    Raises:
        ArtifactError: When a row is no refusal of this program.
    """
    try:
        return tuple(
            KeptRefusal.model_validate({**document, "number": number, "refused_at": datetime.fromisoformat(moment)})
            for number, moment, document in rows
        )
    except ValueError as error:
        raise ArtifactError(
            f"the store {store} holds a refusal that this program cannot read ({error}); use the program that wrote it"
        ) from error
