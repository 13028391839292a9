"""Blessings in the database: they only grow, are what was sent, and are kept once."""

import json
import uuid

import psycopg
import pytest

from spots_ml_tests.database.roles import bless, call, content, hours

MODEL, A = "calling_score", "v1.0-synthetic"
DOCUMENT = json.dumps(
    {
        "model_type": MODEL,
        "version": A,
        "champion": None,
        "passed": True,
        "sentence": "better",
        "comparison": {"x": 1.0},
    }
)


def register(connection):
    call(
        connection,
        "register_model_version",
        p_content=content(),
        p_watermark=None,
        p_at=hours(0),
        p_actor="test",
    )


def keep(connection, **changes):
    values = {"p_document": DOCUMENT, "p_at": hours(1), "p_actor": "ann", "p_request_id": uuid.uuid4()}
    return call(connection, "bless_model_version", **(values | changes))


def rows(connection):
    return connection.execute("select * from public.blessings order by number").fetchall()


@pytest.mark.parametrize(
    "change",
    ["update public.blessings set actor = 'x'", "delete from public.blessings", "truncate public.blessings"],
)
def test_what_was_found_is_neither_changed_nor_deleted(database, change):
    with database.service() as connection:
        register(connection)
        assert keep(connection)["status"] == "ok"
    with database.owner() as connection, pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
        connection.execute(change)


def test_nobody_writes_a_blessing_but_through_the_function(database):
    with database.service() as connection:
        register(connection)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("insert into public.blessings (document) values ('{}')")


def test_a_blessing_that_is_sent_again_with_its_id_is_kept_once_and_the_id_is_bound_to_it(database):
    mine = uuid.uuid4()
    with database.service() as connection:
        register(connection)
        first, again = (keep(connection, p_request_id=mine)["blessing"] for _ in range(2))
        assert first == again
        for change in ({"p_actor": "bob"}, {"p_at": hours(2)}, {"p_document": DOCUMENT.replace("better", "worse")}):
            assert "belongs to another request" in keep(connection, p_request_id=mine, **change)["reason"]
        assert len(rows(connection)) == 1


@pytest.mark.parametrize("passed", [None, "yes", 1, "true"])
def test_only_a_true_is_a_yes(database, passed):
    with database.service() as connection:
        register(connection)
        bless(connection, MODEL, A, passed=passed)
        if rows(connection):
            assert [row["passed"] for row in rows(connection)] == [False]
        told = {"p_model_type": MODEL, "p_version": A, "p_at": hours(2), "p_actor": "ann", "p_reason": ""}
        assert call(connection, "promote_model_version", **told)["status"] == "refused"


@pytest.mark.parametrize("moment", ["infinity", None])
def test_a_moment_that_no_calendar_has_and_an_actor_of_two_lines_are_refused(database, moment):
    with database.service() as connection:
        register(connection)
        assert "expected one of the calendar" in keep(connection, p_at=moment)["reason"]
        assert "expected one line of text" in keep(connection, p_actor="a\nb")["reason"]
        assert rows(connection) == []
