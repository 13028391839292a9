"""Refusals in words: an error a user can act on ends its step with that one sentence instead of a stack trace."""

import contextlib
from collections.abc import Iterator
from typing import Final

import dagster as dg

from spots_ml.errors import SpotsMLError

ERROR_KEY: Final = "error"
"""In the metadata of a failure: the name of the error's class, by which a refusal is told from what broke."""


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
            metadata={ERROR_KEY: dg.MetadataValue.text(type(error).__name__)},
            allow_retries=False,
        ) from error
