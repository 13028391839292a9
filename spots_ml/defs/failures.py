"""Refusals in words: an error a user can act on ends its step with that one sentence instead of a stack trace."""

import contextlib
from collections.abc import Iterator

import dagster as dg

from spots_ml.errors import SpotsMLError


@contextlib.contextmanager
def refusals_in_words() -> Iterator[None]:
    """Turn this project's own errors into a Dagster failure that is not tried again by itself.

    Raises:
        dagster.Failure: With the error's message, when the block raised a `SpotsMLError`.
    """
    try:
        yield
    except SpotsMLError as error:
        raise dg.Failure(
            description=str(error),
            metadata={"error": dg.MetadataValue.text(type(error).__name__)},
            allow_retries=False,
        ) from error
