"""The decision log, its outcomes and the daily performance."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.types.json import Jsonb

from spots_ml.stores.supabase.migrations.account import apply_migrations, migration_files
from spots_ml_tests.database.clock import set_clock
from spots_ml_tests.database.decision_calls import log, stage, take_in
from spots_ml_tests.database.roles import AGENT_B, decision, hours, insert, interaction, outcome

TRAINING = "calling_score_training_data"


def waiting(connection):
    return connection.execute("select count(*) as n from public.incoming_rows").fetchone()["n"]


def ok(n_new, n_known=0, *, claims, others=()):
    return {"status": "ok", "n_new": n_new, "n_known": n_known, "claims": claims, "others": list(others)}


def read(connection):
    return connection.execute(
        "select * from public.decisions_with_outcomes order by decided_at, decision_id"
    ).fetchall()


def test_a_decision_of_before_that_was_logged_at_no_moment_is_a_replay_and_stops_no_upgrade(empty_project, tmp_path):
    for file in migration_files():
        if file.name < "20261126110000":
            shutil.copy(file, tmp_path)
    apply_migrations(empty_project.url, tmp_path)
    with empty_project.owner() as connection:
        insert(connection, "decisions", **decision(), logged_at="infinity")
    apply_migrations(empty_project.url)
    with empty_project.service() as connection:
        (row,) = connection.execute("select origin, claim from public.decisions").fetchall()
    assert (row["origin"], row["claim"]) == ("replayed", "another_moment")


def test_a_decision_is_kept_to_the_last_digit(database):
    given = decision(neural_score=0.1 + 0.2, formula_score=1 / 3)
    with database.service() as connection:
        report = log(connection, given)
        row = read(connection)[0]
    assert report == ok(1, claims={"at_its_moment": 1})

    assert {name: row[name] for name in given} == given | {"decided_at": hours(0)}
    assert (row["logged_at"], row["row_sequence"], row["outcome_type"]) == (hours(1), 1, None)


def test_a_decision_is_logged_once(database):
    with database.service() as connection:
        log(connection, decision("1"), decision("2", at=1))
        report = log(connection, decision("2", at=1, watermark="9/9"), decision("3", at=2), decision("3", at=2), at=9)
        assert (report["status"], report["n_new"], report["n_known"]) == ("ok", 1, 2)
        assert [(row["decision_id"], row["watermark"]) for row in read(connection)] == [
            ("decision-1", "3/4"),
            ("decision-2", "3/4"),
            ("decision-3", "3/4"),
        ]


def test_what_is_known_with_other_content_stays_and_is_told(database):
    with database.service() as connection:
        log(connection, decision("1"))
        given = decision("1", score=0.9, watermark="9/9", propensity=0.5)
        report = log(connection, decision("0", at=-1), given, decision("4", at=1), decision("1", called=True))
        assert report == ok(2, 2, claims={"at_its_moment": 2}, others=["decision-1"])
        assert [(row["decision_id"], row["score"]) for row in read(connection)] == [
            (name, decision()["score"]) for name in ("decision-0", "decision-1", "decision-4")
        ]
        assert waiting(connection) == 0


def test_of_other_content_within_one_call_the_first_is_logged(database):
    with database.service() as connection:
        report = log(connection, decision("1"), decision("1", score=0.1))
        assert report == ok(1, 1, claims={"at_its_moment": 1}, others=["decision-1"])
        assert [row["score"] for row in read(connection)] == [decision()["score"]]


def test_of_one_agent_opportunity_and_moment_one_decision_is_served_and_counts(database):
    with database.service() as connection:
        log(connection, decision("1"))
        report = log(connection, decision("2"), decision("3", at=1), decision("4", at=1, origin="replayed"))
        assert report == ok(3, claims={"already_served": 1, "at_its_moment": 1, "scored_again": 1})
        insert(connection, TRAINING, **interaction() | outcome(0.9))
        told = [
            (row["decision_id"], row["origin"], row["propensity"], row["outcome_score"]) for row in read(connection)
        ]
    assert told == [
        ("decision-1", "served", 1.0, 0.9),
        ("decision-2", "replayed", None, None),
        ("decision-3", "served", 1.0, None),
        ("decision-4", "replayed", None, None),
    ]


def test_a_second_served_decision_is_refused_by_the_table_itself(database):
    with database.service() as connection:
        log(connection, decision("1"))
    with database.owner() as connection, pytest.raises(psycopg.errors.UniqueViolation, match="one_served_decision"):
        connection.execute(
            'insert into public.decisions select (jsonb_populate_record(told, \'{"decision_id": "2"}\')).*'
            " from public.decisions as told"
        )


@pytest.mark.parametrize(
    ("present", "claim"),
    [
        (0, "at_its_moment"),
        (1, "at_its_moment"),
        (1.01, "another_moment"),
        (-0.25, "at_its_moment"),
        (-1, "another_moment"),
    ],
)
def test_what_is_no_moment_of_the_databases_own_clock_is_not_served(database, present, claim):
    with database.owner() as connection:
        set_clock(connection, f"timestamptz '{hours(present).isoformat()}'")
    with database.service() as connection:
        assert log(connection, decision("1"), at=0)["claims"] == {claim: 1}
        assert [row["claim"] for row in read(connection)] == [claim]


def test_a_batch_of_which_rows_are_missing_is_not_taken_in_until_they_are_there(database):
    rows = [decision(str(number), at=number) for number in range(3)]
    with database.service() as connection:
        batch = stage(connection, *rows[:2])
        assert take_in(connection, batch, 3) == {"status": "incomplete", "n_rows": 2}
        assert take_in(connection, batch, None) == {"status": "incomplete", "n_rows": 2}
        assert read(connection) == []
        insert(connection, "incoming_rows", batch=batch, position=2, item=rows[2])
        assert take_in(connection, batch, 3) == ok(3, claims={"at_its_moment": 3})


@pytest.mark.parametrize("changes", [{}, {"score": 0.9}])
def test_a_batch_that_is_taken_in_again_answers_the_same_and_changes_nothing(database, changes):
    with database.service() as connection:
        log(connection, decision("1"))
        batch = stage(connection, decision("0", at=1), decision("1", **changes))
        reports = [take_in(connection, batch, 2, at) for at in (2, 9)]
        assert reports[0] == reports[1]
        assert reports[0]["others"] == (["decision-1"] if changes else [])
        assert [row["logged_at"] for row in read(connection)] == [hours(1), hours(2)]
        assert waiting(connection) == 0


def test_eight_take_the_same_batch_in_and_all_hear_the_same(database):
    with database.service() as connection:
        batch = stage(connection, *(decision(str(number), at=number) for number in range(100)))

    def write(_):
        with database.service() as connection:
            return take_in(connection, batch, 100)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(write, range(8))) == [ok(100, claims={"at_its_moment": 100})] * 8


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"score": 1.2}, psycopg.errors.CheckViolation),
        ({"agent_group": "neural"}, psycopg.errors.CheckViolation),
        ({"feature_digest": "abc"}, psycopg.errors.CheckViolation),
        ({"agent_id": None}, psycopg.errors.NotNullViolation),
        ({"activity_level": None}, psycopg.errors.NotNullViolation),
    ],
)
def test_a_decision_that_cannot_be_is_refused_with_its_call(shared, changes, error):
    with shared.service() as connection:
        with pytest.raises(error):
            log(connection, decision("1"), decision("2", **changes))
        assert read(connection) == []


@pytest.mark.parametrize("statement", ["update public.decisions set score = 1", "delete from public.decisions"])
def test_not_even_the_owner_rewrites_a_decision(database, statement):
    with database.service() as connection:
        log(connection, decision())
    with database.owner() as connection, pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
        connection.execute(statement)


def test_an_outcome_is_linked_whichever_arrives_first(database):
    with database.service() as connection:
        insert(connection, TRAINING, **interaction(opportunity="early") | outcome(0.9))
        log(connection, decision("1", opportunity="early"), decision("2", opportunity="late"))
        insert(connection, TRAINING, **interaction(opportunity="late") | outcome(0.3, "negative"))
        insert(connection, TRAINING, **interaction(opportunity="late", at=1) | outcome(1.0))
        insert(connection, TRAINING, **interaction(AGENT_B, opportunity="late") | outcome(1.0))
        rows = read(connection)
    assert [(row["opportunity_id"], row["outcome_type"], row["outcome_score"], row["outcome_at"]) for row in rows] == [
        ("early", "positive", 0.9, hours(5)),
        ("late", "negative", 0.3, hours(5)),
    ]


def test_a_corrected_outcome_is_seen(database):
    with database.service() as connection:
        insert(connection, TRAINING, **interaction() | outcome(0.9))
        log(connection, decision())
        connection.execute(f"update public.{TRAINING} set outcome_type = 'neutral', outcome_score = 0.5")
        assert (read(connection)[0]["outcome_type"], read(connection)[0]["outcome_score"]) == ("neutral", 0.5)


def test_eight_log_the_same_decisions_and_each_is_there_once(database):
    rows = [decision(str(number), at=number) for number in range(100)]

    def write(turn):
        with database.service() as connection:
            return log(connection, *(rows if turn % 2 else reversed(rows)))["n_new"]

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, range(8))) == 100
    with database.service() as connection:
        numbers = connection.execute("select row_sequence from public.decisions order by 1").fetchall()
    assert len(numbers) == 100


READ_PAGE = (
    "select * from public.decisions_with_outcomes where row_sequence <= 3000 and decided_at >= %s and decided_at < %s"
    " and decided_at >= %s and (decided_at > %s or (decided_at = %s and decision_id > 'decision-150'))"
    " order by decided_at, decision_id limit 10"
)
COUNT = (
    "select count(*) from public.decisions_with_outcomes"
    " where row_sequence <= 3000 and decided_at >= %s and decided_at < %s"
)


@pytest.mark.parametrize(("query", "n_moments"), [(READ_PAGE, 5), (COUNT, 2)])
def test_a_period_is_found_through_the_index(database, query, n_moments):
    moments = [hours(100), hours(900), hours(150), hours(150), hours(150)]
    with database.service() as connection:
        log(connection, *(decision(f"{number:05}", at=number) for number in range(3000)))
    with database.owner() as connection:
        connection.execute("analyze public.decisions")
        steps = connection.execute(f"explain (costs off) {query}", moments[:n_moments]).fetchall()
    plan = "\n".join(step["QUERY PLAN"] for step in steps)
    assert "decisions_by_time" in plan
    assert "Seq Scan on decisions" not in plan
    assert "Sort" not in plan
    if query == COUNT:
        # A pair has one interaction of a moment at most, so counting need not look for it.
        assert "calling_score_training_data" not in plan


SAVE = (
    "insert into public.performance (day, origin, arm, saved_at, document) values (%s, %s, %s, %s, %s)"
    " on conflict (day, origin, arm) do update set saved_at = excluded.saved_at, document = excluded.document"
)


def save(connection, arm, value, changes=None):
    day = "2026-11-21"
    document = {"day": day, "arm": arm, "origin": "served", "called_rate": {"value": value}} | (changes or {})
    connection.execute(SAVE, (day, "served", arm, hours(0), Jsonb(document)))


def test_performance_is_replaced_by_day_arm_and_origin(database):
    with database.service() as connection:
        save(connection, "formula", 0.5)
        save(connection, "calling_score v1.0-real", 0.25)
        save(connection, "formula", 0.1 + 0.2)
        rows = connection.execute("select arm, document from public.performance order by day, origin, arm").fetchall()
    assert [(row["arm"], row["document"]["called_rate"]["value"]) for row in rows] == [
        ("calling_score v1.0-real", 0.25),
        ("formula", 0.1 + 0.2),
    ]


@pytest.mark.parametrize("changes", [{"arm": "other"}, {"day": "2026-11-22"}, {"origin": "replayed"}])
def test_a_document_of_another_key_is_refused(shared, changes):
    with shared.service() as connection, pytest.raises(psycopg.errors.CheckViolation):
        save(connection, "formula", 0.5, changes)


def test_names_sort_by_their_bytes_as_in_the_embedded_store(database):
    names = ["b", "B", "a_b", "a b", "ä"]
    with database.service() as connection:
        for name in names:
            save(connection, name, 0.5)
        found = connection.execute("select arm from public.performance order by arm").fetchall()
    assert [row["arm"] for row in found] == sorted(names, key=str.encode)
