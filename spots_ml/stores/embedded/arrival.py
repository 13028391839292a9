"""The point of arrival that the embedded store has reached."""

import sqlite3

from spots_ml.stores.watermark import Watermark


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
