"""What was found when versions were watched, as documents of JSON and back."""

from collections.abc import Iterable
from typing import Any

from spots_ml.errors import ArtifactError
from spots_ml.monitoring.causes.watches import Watch


def watches(documents: Iterable[Any], store: str) -> tuple[Watch, ...]:
    """Turn documents into findings.

    Args:
        documents: As `Watch.model_dump(mode="json")` made them.
        store: Which store they come from, for messages.

    Returns:
        The findings in their order.

    Raises:
        ArtifactError: When a document is no finding of this program.
    """
    try:
        return tuple(map(Watch.model_validate, documents))
    except ValueError as error:
        raise ArtifactError(
            f"the store {store} holds what watching a version found in a way that this program cannot read ({error}); "
            "use the program that wrote it"
        ) from error
