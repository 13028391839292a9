"""The log of refusals in the database: it only grows, and numbers come from the database."""

import psycopg
import pytest
from psycopg.types.json import Jsonb

INSERT = (
    "insert into public.refusals (refusal_id, model_type, refused_at, document)"
    " values (gen_random_uuid(), 'outcome', %s, %s)"
)
DOCUMENT = Jsonb({"model_type": "outcome"})


@pytest.mark.parametrize("change", ["update public.refusals set model_type = 'x'", "delete from public.refusals"])
def test_what_was_refused_is_neither_changed_nor_deleted(database, change):
    with database.owner() as connection:
        connection.execute(INSERT, ("2026-11-21", DOCUMENT))
        with pytest.raises(psycopg.errors.RestrictViolation, match="refusals is append-only"):
            connection.execute(change)


def test_a_number_is_never_chosen_by_who_writes(database):
    with database.owner() as connection, pytest.raises(psycopg.errors.GeneratedAlways):
        connection.execute(
            "insert into public.refusals (number, refusal_id, model_type, refused_at, document)"
            " values (7, gen_random_uuid(), 'outcome', now(), %s)",
            (DOCUMENT,),
        )


@pytest.mark.parametrize(
    ("moment", "document"),
    [("infinity", DOCUMENT), ("2026-11-21", Jsonb({"model_type": "calling_score"})), ("2026-11-21", Jsonb([]))],
)
def test_a_row_that_could_not_be_read_back_is_refused(database, moment, document):
    with database.owner() as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(INSERT, (moment, document))
