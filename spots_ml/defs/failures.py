"""Refusals in words: an error a user can act on ends its step with that one sentence instead of a stack trace."""

import contextlib
from collections.abc import Iterator
from typing import Final

import dagster as dg

from spots_ml.errors import SpotsMLError
from spots_ml.troubles import as_error

ERROR_KEY: Final = "error"
"""In the metadata of a failure: the name of the error's class, by which a refusal is told from what broke."""


@contextlib.contextmanager
def refusals_in_words() -> Iterator[None]:
    """Turn this project's own errors, and the machine's, into a Dagster failure that is not tried again by itself.

    Raises:
        dagster.Failure: With the error's message, when the block raised a `SpotsMLError` or the machine said no.
    """
    try:
        yield
    except Exception as error:
        told = error if isinstance(error, SpotsMLError) else as_error(error)
        if told is None:
            raise
        raise dg.Failure(
            description=str(told),
            metadata={ERROR_KEY: dg.MetadataValue.text(type(told).__name__)},
            allow_retries=False,
        ) from error
