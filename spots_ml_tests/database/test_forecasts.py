"""Forecasts in the database: they only grow; neither their number nor what is known of rollouts is the writer's."""

import psycopg
import pytest
from psycopg.types.json import Jsonb

INSERT = (
    "insert into public.forecasts (forecast_id, model_type, version, made_at, document)"
    " values (gen_random_uuid(), 'outcome', 'v1.0-real', %s, %s)"
)
DOCUMENT = Jsonb({"model_type": "outcome", "version": "v1.0-real"})


@pytest.mark.parametrize("change", ["update public.forecasts set version = 'x'", "delete from public.forecasts"])
def test_what_was_forecast_is_neither_changed_nor_deleted(database, change):
    with database.owner() as connection:
        connection.execute(INSERT, ("2026-11-21", DOCUMENT))
        with pytest.raises(psycopg.errors.RestrictViolation, match="forecasts is append-only"):
            connection.execute(change)


def test_a_number_is_never_chosen_by_who_writes(database):
    with database.owner() as connection, pytest.raises(psycopg.errors.GeneratedAlways):
        connection.execute(
            "insert into public.forecasts (number, forecast_id, model_type, version, made_at, document)"
            " values (7, gen_random_uuid(), 'outcome', 'v1.0-real', now(), %s)",
            (DOCUMENT,),
        )


def test_the_last_rollout_is_the_one_there_was_whatever_is_told(database):
    with database.owner() as connection:
        told = connection.execute(
            "insert into public.forecasts (forecast_id, model_type, version, after_rollout, made_at, document)"
            " values (gen_random_uuid(), 'outcome', 'v1.0-real', 99, now(), %s) returning after_rollout",
            (DOCUMENT,),
        ).fetchone()
    assert told["after_rollout"] == 0


@pytest.mark.parametrize(
    ("moment", "document"),
    [
        ("infinity", DOCUMENT),
        ("2026-11-21", Jsonb({"model_type": "outcome", "version": "v2.0-real"})),
        ("2026-11-21", Jsonb([])),
    ],
)
def test_a_row_that_could_not_be_read_back_is_refused(database, moment, document):
    with database.owner() as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(INSERT, (moment, document))
