"""Daily performance as documents of JSON and back, with what every store refuses of it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError

from spots_ml.errors import ArtifactError, InputError
from spots_ml.monitoring.performance import PerformanceRow


def to_documents(rows: Sequence[PerformanceRow]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Turn rows into documents.

    Args:
        rows: At most one for each day, arm and origin.

    Returns:
        The documents by day, arm and origin.

    Raises:
        InputError: When two rows have the same day, arm and origin.
    """
    keys = [(row.day.isoformat(), row.arm, row.origin) for row in rows]
    twice = [key for key, count in Counter(keys).items() if count > 1]
    if twice:
        raise InputError(f"the performance of {', '.join(twice[0])} is given more than once; give each arm once a day")
    return {key: row.model_dump(mode="json") for key, row in zip(keys, rows, strict=True)}


def from_documents(documents: Iterable[str | bytes], store: str) -> tuple[PerformanceRow, ...]:
    """Turn documents into rows.

    Args:
        documents: Written as JSON.
        store: Which store they come from, for messages.

    Returns:
        The rows in the order of their documents.

    Raises:
        ArtifactError: When a document is no performance of this program.
    """
    try:
        return tuple(PerformanceRow.model_validate_json(document) for document in documents)
    except ValidationError as error:
        raise ArtifactError(
            f"the store {store} holds performance that this program cannot read ({error}); measure these days again"
        ) from error
