"""Importing interactions as the store does: rows as they are sent, the call, and what came of it."""

import uuid

from psycopg.types.json import Jsonb

from spots_ml_tests.database.roles import START, call, interaction

TABLE = "calling_score_training_data"
APPS_OWN = ("formula_breakdown", "metadata")


def item(opportunity="spot-1", **changes):
    """An interaction as an import sends it: what is unknown is left out."""
    row = {name: value for name, value in interaction(opportunity=opportunity).items() if name not in APPS_OWN}
    row["timing_features"] = {"opportunity_timing": 0.5}
    row |= changes
    return {name: told(value) for name, value in row.items() if value is not None}


def told(value):
    return value.isoformat() if hasattr(value, "isoformat") else value


def send(connection, items, batch=None):
    batch = batch or uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into public.incoming_rows (batch, position, item) values (%s, %s, %s)",
            [(batch, position, Jsonb(one)) for position, one in enumerate(items)],
        )
    return {"p_batch": batch, "p_n_rows": len(items), "p_source_kind": "real", "p_source": "a test", "p_at": START}


def take_in(connection, *items):
    return call(connection, "import_interactions", **send(connection, items))


def counts(report):
    return tuple(report[name] for name in ("n_distinct", "n_new", "n_updated", "n_new_labels"))


def rows(connection):
    """All rows in the order of their arrival, with their numbers."""
    call(connection, "label_watermark")
    return connection.execute(
        f"select data.*, row_sequence, label_sequence from public.{TABLE} as data"
        " join public.training_arrivals using (id) order by row_sequence"
    ).fetchall()
