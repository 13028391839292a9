"""Rollouts in the database: what only grows, what is never changed, and calls that are sent again."""

import uuid

import psycopg
import pytest

from spots_ml.stores.rollout_documents import document_of
from spots_ml_tests.database.clock import set_clock
from spots_ml_tests.database.roles import call, content, hours
from spots_ml_tests.database.rollout_calls import change_rollout, start_document, start_rollout
from spots_ml_tests.stores import keeping_rollouts

B = "v1.1-synthetic"
UNIT = {"stage": 1, "agent_id": "agent-1", "place": 0.5, "treated": False}


@pytest.fixture
def filled(database):
    """A database with two versions in staging."""
    with database.service() as connection:
        for number, name in enumerate("ab"):
            call(
                connection,
                "register_model_version",
                p_content=content(name, f"v1.{number}-synthetic"),
                p_watermark=None,
                p_at=hours(number),
                p_actor="test",
            )
    return database


def look(connection, rollout, *units, what=None, **values):
    told = {
        "p_rollout": rollout["number"],
        "p_after": rollout["last_event"],
        "p_units": list(units),
        "p_document": document_of(keeping_rollouts.look(len(units), what))[0],
        "p_at": hours(30),
        "p_actor": "gus",
    }
    return call(connection, "record_rollout_look", **(told | values))


def rows(connection, table):
    return connection.execute(f"select * from public.{table} order by 1, 2").fetchall()


@pytest.mark.parametrize("table", ["rollout_events", "rollout_looks", "rollout_units"])
@pytest.mark.parametrize("change", ["update public.{} set rollout = 1", "delete from public.{}", "truncate public.{}"])
def test_events_looks_and_units_only_grow(filled, table, change):
    with filled.service() as connection:
        assert look(connection, start_rollout(connection, B)["rollout"], UNIT)["status"] == "ok"
        assert len(rows(connection, table)) == 1
    refused = (psycopg.errors.RestrictViolation, psycopg.errors.FeatureNotSupported)  # looks are referred to
    with filled.owner() as connection, pytest.raises(refused):
        connection.execute(change.format(table))


@pytest.mark.parametrize(
    ("statement", "match"),
    [
        ("update public.rollouts set salt = repeat('a', 32)", "what a rollout started with never changes"),
        ("update public.rollouts set document = '{}', digest = ''", "what a rollout started with never changes"),
        ("delete from public.rollouts", "rollouts is append-only"),
    ],
)
def test_what_a_rollout_started_with_never_changes(filled, statement, match):
    with filled.service() as connection:
        start_rollout(connection, B)
    with filled.owner() as connection, pytest.raises(psycopg.errors.RestrictViolation, match=match):
        connection.execute(statement)


def test_a_rollout_that_is_over_stays_over(filled):
    with filled.service() as connection:
        change_rollout(connection, start_rollout(connection, B)["rollout"], "ended")
    with filled.owner() as connection, pytest.raises(psycopg.errors.RestrictViolation, match="over never changes"):
        connection.execute("update public.rollouts set status = 'running'")


def test_a_document_that_is_not_what_its_digest_says_is_refused(filled):
    with filled.service() as connection:
        start_rollout(connection, B)
    with filled.owner() as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(
            "insert into public.rollout_looks (rollout, at, actor, document, digest)"
            " values (1, now(), 'me', '{}', repeat('a', 64))"
        )


@pytest.mark.parametrize("table", ["rollouts", "rollout_events", "rollout_looks", "rollout_units"])
def test_nobody_writes_but_through_the_functions(filled, table):
    with filled.service() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(f"insert into public.{table} default values")


def test_a_second_rollout_on_its_way_is_against_a_constraint(filled):
    with filled.service() as connection:
        start_rollout(connection, B)
    with filled.owner() as connection, pytest.raises(psycopg.errors.UniqueViolation, match="one_rollout_on_its_way"):
        connection.execute(
            "insert into public.rollouts select 2, model_type, version, repeat('a', 32), status, stage, started_at,"
            " last_event, document, digest from public.rollouts"
        )


def test_calls_that_are_sent_again_with_their_ids_happen_once(filled):
    first, second, third = (uuid.uuid4() for _ in range(3))
    with filled.service() as connection:
        document = start_document(connection, B)
        started = [start_rollout(connection, B, document=document, p_request_id=first) for _ in range(2)]
        assert started[0]["rollout"] == started[1]["rollout"]
        rollout = started[0]["rollout"]
        for _ in range(2):
            assert look(connection, rollout, UNIT, p_request_id=second)["status"] == "ok"
        for _ in range(2):
            assert change_rollout(connection, rollout, "widened", p_request_id=third)["rollout"]["stage"] == 2
        assert [len(rows(connection, f"rollout_{name}")) for name in ("events", "looks", "units")] == [2, 1, 1]


@pytest.mark.parametrize(("present", "status"), [(9.75, "ok"), (11, "ok"), (9.7, "refused"), (11.01, "refused")])
def test_who_starts_looks_or_changes_does_so_by_the_clock_of_the_database(filled, present, status):
    with filled.service() as connection:
        running = start_rollout(connection, B)["rollout"]
    with filled.owner() as connection:
        set_clock(connection, f"timestamptz '{hours(present).isoformat()}'")
    with filled.service() as connection:
        looked = look(connection, running, UNIT, p_at=hours(10))
        over = change_rollout(connection, running, "ended", at=10)
        again = start_rollout(connection, B, at=10)
        assert len(rows(connection, "rollout_looks")) == (status == "ok")
    assert {answer["status"] for answer in (looked, over, again)} == {status}
    if status == "refused":
        assert "set the clock" in looked["reason"] and hours(10).strftime("%Y-%m-%d %H:%M:%S") in looked["reason"]


def test_a_call_that_is_sent_again_is_answered_however_late(filled):
    mine = uuid.uuid4()
    with filled.service() as connection:
        document = start_document(connection, B)
        started = start_rollout(connection, B, document=document, p_request_id=mine)
    with filled.owner() as connection:
        set_clock(connection, f"timestamptz '{hours(99).isoformat()}'")
    with filled.service() as connection:
        assert start_rollout(connection, B, document=document, p_request_id=mine) == started


def test_a_request_id_is_bound_to_its_whole_request(filled):
    mine = uuid.uuid4()
    with filled.service() as connection:
        rollout = start_rollout(connection, B)["rollout"]
        assert look(connection, rollout, UNIT, p_request_id=mine)["status"] == "ok"
        others = [
            look(connection, rollout, UNIT, p_request_id=mine, p_actor="ann"),
            look(connection, rollout, UNIT | {"agent_id": "b"}, p_request_id=mine),
            look(connection, rollout, UNIT, p_request_id=mine, what="ended"),
            change_rollout(connection, rollout, "paused", p_request_id=mine),
        ]
        assert len(rows(connection, "rollout_looks")) == 1
    for answer in others:
        assert answer["status"] == "refused"
        assert f"the request id {mine} belongs to another request" in answer["reason"]


def test_units_of_a_stage_that_was_not_reached_are_refused(filled):
    with filled.service() as connection:
        answer = look(connection, start_rollout(connection, B)["rollout"], UNIT | {"stage": 2})
        assert (answer["status"], rows(connection, "rollout_units")) == ("refused", [])
    assert "has not reached" in answer["reason"]


@pytest.mark.parametrize("moment", ["infinity", "-infinity", None])
def test_a_moment_that_no_calendar_has_is_refused(filled, moment):
    with filled.service() as connection:
        document = start_document(connection, B)
        assert "calendar" in start_rollout(connection, B, document=document, p_at=moment)["reason"]
        rollout = start_rollout(connection, B, document=document)["rollout"]
        assert "calendar" in look(connection, rollout, p_at=moment)["reason"]
        assert "calendar" in change_rollout(connection, rollout, "ended", p_at=moment)["reason"]
        assert [len(rows(connection, f"rollout_{name}")) for name in ("events", "looks")] == [1, 0]


def test_what_is_written_past_the_functions_ends_the_rollout_as_well(filled):
    with filled.service() as connection:
        start_rollout(connection, B)
    with filled.owner() as connection:
        connection.execute(
            "update public.model_versions set status = 'active', traffic = 1 where version = 'v1.0-synthetic'"
        )
        connection.execute(
            "insert into public.version_history"
            " (at, model_type, version, action, from_status, to_status, actor, reason)"
            " values (now(), 'calling_score', 'v1.0-synthetic', 'promoted', 'staging', 'active', 'an owner', '')"
        )
        (rollout,) = rows(connection, "rollouts")
        assert rollout["status"] == "ended"
        assert rows(connection, "rollout_events")[-1]["reason"] == "v1.0-synthetic was promoted"


def test_a_start_takes_back_what_another_version_had_of_traffic_from_a_hand(filled):
    with filled.owner() as connection:
        connection.execute("update public.model_versions set traffic = 0.3 where version = 'v1.0-synthetic'")
    with filled.service() as connection:
        assert start_rollout(connection, B)["status"] == "ok"
        versions = connection.execute("select traffic from public.model_versions order by version").fetchall()
        assert [row["traffic"] for row in versions] == [0.0, 0.1]
        taken = rows(connection, "version_history")[-2]
        assert (taken["version"], taken["action"], taken["to_value"]) == ("v1.0-synthetic", "traffic_set", 0.0)


def test_a_change_that_is_taken_back_leaves_the_rollout_as_it_was(filled):
    with filled.service() as connection:
        rollout = start_rollout(connection, B)["rollout"]
        with pytest.raises(ZeroDivisionError), connection.transaction():
            change_rollout(connection, rollout, "promoted")
            raise ZeroDivisionError
        assert rows(connection, "rollouts")[0]["status"] == "running"
        assert connection.execute("select count(*) as n from public.version_history").fetchone()["n"] == 3
