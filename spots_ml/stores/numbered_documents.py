"""Documents of JSON that a store numbers, and back: refusals, forecasts."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel

from spots_ml.errors import ArtifactError

_Kept = TypeVar("_Kept", bound=BaseModel)


def from_rows(
    kind: type[_Kept],
    rows: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]],
    *,
    moment: str,
    what: str,
    store: str,
) -> tuple[_Kept, ...]:
    """Turn rows into what they keep.

    Args:
        kind: Its type.
        rows: Of each what the store gave it, by field, and its document.
        moment: Which of the fields is a moment, told as text.
        what: How one is called, for messages.
        store: Which store they come from, for messages.

    Returns:
        What is kept, in the order of the rows.

    Raises:
        ArtifactError: When a row is none of this program.
    """
    try:
        return tuple(
            kind.model_validate({**document, **given, moment: datetime.fromisoformat(given[moment])})
            for given, document in rows
        )
    except ValueError as error:
        raise ArtifactError(
            f"the store {store} holds a {what} that this program cannot read ({error}); use the program that wrote it"
        ) from error
