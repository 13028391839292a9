"""Logging decisions by the functions of the database."""

import uuid

from psycopg.types.json import Jsonb

from spots_ml_tests.database.roles import call, hours


def stage(connection, *rows):
    """Send rows; the id of their batch."""
    batch = uuid.uuid4()
    connection.cursor().executemany(
        "insert into public.incoming_rows (batch, position, item) values (%s, %s, %s)",
        [(batch, position, Jsonb(row)) for position, row in enumerate(rows)],
    )
    return batch


def take_in(connection, batch, n_rows, at=1):
    answer = call(connection, "log_decisions", p_batch=batch, p_n_rows=n_rows, p_logged_at=hours(at))
    return answer["log_decisions"]


def log(connection, *rows, at=1):
    return take_in(connection, stage(connection, *rows), len(rows), at)
