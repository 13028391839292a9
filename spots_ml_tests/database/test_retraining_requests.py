"""Requests for a retraining in the database: who may write them, how many, and that they only grow."""

import psycopg
import pytest

from spots_ml_tests.database.roles import AGENT_A

ADD = "insert into public.retraining_requests (model_type, reason, actor) values (%s, %s, %s)"
ASK = "select public.request_retraining('outcome', %s, 'edge function') as number"
OPEN = "select number, anew, taking from public.open_retraining_requests"


def test_a_backend_adds_a_row_and_the_database_gives_number_and_moment(database):
    with database.service() as connection:
        connection.execute(ADD, ("outcome", "new season", "backend"))
        (row,) = connection.execute(OPEN).fetchall()
    assert row == {"number": 1, "anew": False, "taking": None}


@pytest.mark.parametrize(
    ("values", "error"),
    [
        (("no_model", "why", "who"), psycopg.errors.ForeignKeyViolation),
        (("outcome", " ", "who"), psycopg.errors.CheckViolation),
        (("outcome", "two\nlines", "who"), psycopg.errors.CheckViolation),
        (("outcome", "why", "x" * 1001), psycopg.errors.CheckViolation),
    ],
)
def test_a_row_that_could_not_be_told_is_refused(database, values, error):
    with database.service() as connection, pytest.raises(error):
        connection.execute(ADD, values)


def test_a_number_and_the_moment_of_arrival_are_never_chosen_by_who_writes(database):
    for name in ("number", "arrived_at"):
        with database.service() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(
                f"insert into public.retraining_requests (model_type, reason, actor, {name})"
                " values ('outcome', 'why', 'who', default)"
            )


@pytest.mark.parametrize("statement", [ADD.replace("%s", "'x'"), ASK.replace("%s", "'why'"), OPEN])
def test_an_agent_asks_for_nothing(shared, statement):
    with shared.acting("authenticated", AGENT_A) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.parametrize("table", ["retraining_requests", "retraining_takings"])
@pytest.mark.parametrize("change", ["update public.{} set number = default", "delete from public.{}"])
def test_nothing_of_it_is_changed_or_deleted(database, table, change):
    with database.owner() as connection:
        connection.execute(ADD, ("outcome", "why", "who"))
        connection.execute(
            "select public.take_retraining_requests(array[1], array[0], 'one', now(), gen_random_uuid())"
        )
        with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
            connection.execute(change.format(table))


def test_the_function_takes_so_many_a_day_and_model_and_says_so(database):
    with database.service() as connection:
        connection.execute("update public.quotas set retraining_requests_per_day = 2")
        connection.execute(ADD, ("outcome", "by hand", "backend"))
        connection.execute(ASK, ("first",))
        with pytest.raises(psycopg.Error, match="at most 2") as caught:
            connection.execute(ASK, ("second",))
        assert caught.value.sqlstate == "PT429"
        connection.execute(ASK.replace("outcome", "calling_score"), ("another model",))


def test_yesterdays_requests_do_not_count(database):
    with database.owner() as owner:
        owner.execute("update public.quotas set retraining_requests_per_day = 1")
        owner.execute(
            "insert into public.retraining_requests (model_type, reason, actor, arrived_at)"
            " values ('outcome', 'why', 'who', date_trunc('day', now() at time zone 'UTC') at time zone 'UTC'"
            " - interval '1 second')"
        )
    with database.service() as connection:
        connection.execute(ASK, ("today",))


def test_the_same_request_again_is_no_second_one(database):
    ask = "select public.request_retraining('outcome', 'why', 'who', true, %s) as number"
    one = "6f1ed002-ab5a-4f09-9f2f-000000000001"
    with database.service() as connection:
        numbers = [connection.execute(ask, (one,)).fetchone()["number"] for _ in range(2)]
    assert numbers == [1, 1]


def test_a_call_of_taking_whose_answer_was_lost_has_the_same_answer_again(database):
    take = "select public.take_retraining_requests(array[1], array[0], %s, now(), %s) as got"
    one, two = ("6f1ed002-ab5a-4f09-9f2f-00000000000a", "6f1ed002-ab5a-4f09-9f2f-00000000000b")
    with database.service() as connection:
        connection.execute(ADD, ("outcome", "why", "who"))
        answers = [connection.execute(take, call).fetchone()["got"] for call in (("a", one), ("a", one), ("b", two))]
    assert answers == [[1], [1], []]
