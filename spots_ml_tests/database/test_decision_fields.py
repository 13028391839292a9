"""The table of decisions, and what may be logged in it, are as the declared fields say."""

import psycopg
import pytest

from spots_ml.scoring.decision_log.field_rules import Between, HexDigits, NotEmpty, OneOf
from spots_ml.scoring.decision_log.fields import DECISIONS_WITH_OUTCOMES, FIELDS
from spots_ml.stores.supabase.decision_rows import columns_of
from spots_ml_tests.database.decision_calls import log, stage
from spots_ml_tests.database.roles import decision, hours

TYPES = {
    "string": "text",
    "timestamp[us, tz=UTC]": "timestamp with time zone",
    "double": "double precision",
    "float": "double precision",
    "bool": "boolean",
    "int64": "bigint",
}
"""What Postgres calls the types of fields."""
OF_THE_STORE = {"row_sequence", "logged_at"}
WRONG = {Between: [-1, 1001], OneOf: ["", "Hybrid", "other"], NotEmpty: [""], HexDigits: ["", "0" * 63, "A" * 64]}


def columns(connection, table):
    rows = connection.execute(
        "select column_name, data_type, is_nullable = 'YES' as nullable from information_schema.columns"
        " where table_schema = 'public' and table_name = %s",
        (table,),
    ).fetchall()
    return {row["column_name"]: (row["data_type"], row["nullable"]) for row in rows}


def test_the_table_has_the_columns_of_the_declared_fields_and_no_others(shared):
    with shared.service() as connection:
        found = columns(connection, "decisions")

    assert set(found) - OF_THE_STORE == {field.sql_name for field in FIELDS}
    assert {field.sql_name: (TYPES[str(field.type)], field.nullable) for field in FIELDS} == {
        name: told for name, told in found.items() if name not in OF_THE_STORE
    }


def test_what_is_read_are_the_declared_fields_and_the_outcome(shared):
    with shared.service() as connection:
        found = columns(connection, "decisions_with_outcomes")

    assert set(columns_of(DECISIONS_WITH_OUTCOMES)) == set(found) - OF_THE_STORE
    types = [found[name][0] for name in columns_of(DECISIONS_WITH_OUTCOMES)]
    assert types == [TYPES[str(field.type)] for field in DECISIONS_WITH_OUTCOMES]


@pytest.mark.parametrize("field", [field for field in FIELDS if field.rule], ids=lambda field: field.name)
def test_the_database_keeps_the_rule_of_each_field(shared, field):
    for value in WRONG[type(field.rule)]:
        with shared.service() as connection, pytest.raises(psycopg.errors.CheckViolation):
            log(connection, decision("1") | {field.sql_name: value})


@pytest.mark.parametrize("field", [field for field in FIELDS if not field.nullable], ids=lambda field: field.name)
def test_the_database_refuses_a_decision_without_what_must_be_known(shared, field):
    with shared.service() as connection, pytest.raises(psycopg.errors.NotNullViolation):
        log(connection, decision("1") | {field.sql_name: None})


ARMS = {"arm": "calling_score v1.0-synthetic", "experiment": None, "stage": None, "share": 1.0}


def test_what_a_row_of_before_there_were_arms_does_not_say_is_no_other_content(database):
    with database.service() as connection:
        log(connection, decision("1"))
        assert log(connection, decision("1") | ARMS)["others"] == []
        assert log(connection, decision("1", score=0.9) | ARMS)["others"] == ["decision-1"]


def test_what_a_row_says_of_its_arm_is_content(database):
    with database.service() as connection:
        log(connection, decision("1") | ARMS)
        for other in ({"arm": "formula"}, {"experiment": "exp-1"}, {"stage": 1}, {"share": 0.5}):
            assert log(connection, decision("1") | ARMS | other)["others"] == ["decision-1"]


TREND = {"trend_boost": 0.1, "filter_on": False}


def test_what_a_row_of_before_the_trend_was_told_does_not_say_is_no_other_content(database):
    with database.service() as connection:
        log(connection, decision("1"))
        assert log(connection, decision("1") | TREND)["others"] == []


@pytest.mark.parametrize("other", [{"trend_boost": 0.0}, {"filter_on": True}])
def test_what_a_row_says_of_trend_and_filter_is_content(database, other):
    with database.service() as connection:
        log(connection, decision("1") | TREND)
        assert log(connection, decision("1") | TREND | other)["others"] == ["decision-1"]


def test_fields_that_the_table_lacks_are_refused_and_not_dropped(database):
    with database.service() as connection:
        batch = stage(connection, decision("1") | {"mood": 0.5})
        fields = [*decision("1"), "mood", "logged", "cmin"]
        answer = connection.execute(
            "select public.log_decisions(%s, 1, %s, %s) as told", (batch, hours(0), fields)
        ).fetchone()["told"]
        assert answer == {"status": "other_fields", "missing": ["cmin", "logged", "mood"]}
        assert connection.execute("select count(*) as n from public.decisions").fetchone()["n"] == 0
