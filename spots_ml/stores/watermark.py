"""Label watermarks of the embedded store: how many labels and how many interactions had arrived at a point."""

import re
import sqlite3
from typing import Final, NamedTuple

from spots_ml.errors import InputError

_PATTERN: Final = re.compile(r"([0-9]{1,18})/([0-9]{1,18})")


class Watermark(NamedTuple):
    """A point of arrival.

    Attributes:
        labels: The last number of `label_sequence` that had been given.
        rows: The last `row_sequence`.
    """

    labels: int
    rows: int

    def __str__(self) -> str:
        """Write it as the opaque text the store hands out."""
        return f"{self.labels}/{self.rows}"


def present(connection: sqlite3.Connection) -> Watermark:
    """Read the present point of arrival.

    Args:
        connection: Inside a transaction, so that both numbers belong together.

    Returns:
        The watermark; 0/0 for an empty store.
    """
    labels = connection.execute("SELECT value FROM counters WHERE name = 'label_sequence'").fetchone()[0]
    rows = connection.execute("SELECT coalesce(max(row_sequence), 0) FROM interactions").fetchone()[0]
    return Watermark(labels, rows)


def parse(text: str) -> Watermark:
    """Read a watermark.

    Args:
        text: What `label_watermark` answered.

    Returns:
        The watermark.

    Raises:
        InputError: When it is none of an embedded store.

    >>> parse("742/1000")
    Watermark(labels=742, rows=1000)
    """
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise InputError(
            f"{text!r} is not a watermark of an embedded store; "
            "expected what `label_watermark` answered, such as 742/1000"
        )
    return Watermark(int(match[1]), int(match[2]))
