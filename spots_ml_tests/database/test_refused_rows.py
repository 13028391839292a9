"""What validation always refuses, the tables refuse when an agent writes it: two texts, held against each other."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg
import pyarrow as pa
import pytest
from psycopg.types.json import Jsonb

from spots_ml.interactions.judging.rules import BLANKS, ValidationConfig, codes, find_problems
from spots_ml.interactions.reading.broken_records import read_record
from spots_ml.interactions.reading.record_layout import DERIVED_KEYS, FEATURE_GROUPS, PLACEHOLDERS
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml_tests.database.roles import (
    AGENT_A,
    START,
    ab_outcome,
    call,
    content,
    decision,
    hours,
    insert,
    interaction,
    outcome,
)

TABLE = "calling_score_training_data"
AB_TEST = "calling_score_ab_test_outcomes"
NOW = hours(24)
ROW = f"jsonb_populate_record(null::public.{TABLE}, %s)"

EDGES = (0.3, 0.4, 0.7)
SCORES = (0.0, 1.0, *(edge + step for edge in EDGES for step in (-6e-5, -4e-5, 0, 4e-5, 6e-5)))
AROUND_NOW = [(NOW + timedelta(seconds=after)).isoformat() for after in (-1, 0, 299, 300, 301, 86_400)]

# Field by field what a row may say and what it may not.
SAID = {
    "user_vibe_dimensions": [
        *({"novelty_seeking": value} for value in (0, 1, 0.5, -1e-9, 1.0000001, 1e300, None, "0.5", True, [0.5], {})),
        *({}, {"novelty": 0.5}, {"novelty_seeking": 0.5, "user": None}, {"context_feature_7": 0.5}),
    ],
    "context_features": [
        *({}, None, {"location_proximity": 2}, {"timing_alignment": 0.5}, {"vibe_compatibility": "high"}),
        *({name: 0.5} for name in DERIVED_KEYS["context_features"]),
        *({"vibe_compatibility": value} for value in (10**308, 10**400, -(10**400), -(10**308))),
        *({name: value} for name in PLACEHOLDERS["context_features"] for value in (0.5, 7, "noise", None)),
    ],
    "timing_features": [{"timing_alignment": 0.5}, {"timing_feature_5": [1]}, {"timing_feature_6": 0.5}, None],
    "formula_calling_score": [0, 1, -0.001, 1.001],
    "formula_is_called": [True, False],
    "agent_id": ["a", "", *BLANKS, "a b"],
    "timestamp": [START.isoformat(), *AROUND_NOW],
    "outcome_timestamp": [START.isoformat(), hours(-1).isoformat(), *AROUND_NOW],
    "outcome_type": ["positive", "neutral", "negative", "splendid", "Positive", ""],
    "outcome_score": [*SCORES, -0.1, 1.1],
}
BESIDE_THE_TABLE = {"incomplete_outcome", "missing_key", "derived_mismatch"}
"""An outcome may be told in parts; keys that are left out are taken as unknown; Python alone derives."""


def told_by_python(row):
    groups = {
        group: dict.fromkeys(FEATURE_GROUPS[group]) | row[group] if isinstance(row[group], dict) else row[group]
        for group in FEATURE_GROUPS
        if row[group] is not None
    }
    names = ("agent_id", "opportunity_id", "timestamp", "formula_calling_score", "formula_is_called")
    known = {name: row.get(name) for name in (*names, "outcome_type", "outcome_score", "outcome_timestamp")}
    read = read_record(json.dumps(known | groups).encode())
    batch = pa.RecordBatch.from_pylist([read | {"position": 0}], schema=INTERACTIONS)
    found = set(codes(int(find_problems(batch, config=ValidationConfig(), now=NOW)[0]))) - BESIDE_THE_TABLE
    if datetime.fromisoformat(row["timestamp"]) > NOW + timedelta(minutes=5):
        # The row is refused for its moment; that an outcome lies before that one says nothing more.
        found -= {"outcome_before_interaction"}
    return found


def told_by_the_table(connection, row):
    found = connection.execute(
        f"select private.interaction_problems({ROW}, null, %s) as found", [Jsonb(row), NOW]
    ).fetchone()["found"]
    return {one.partition(":")[0] for one in found} - BESIDE_THE_TABLE


def base():
    row = interaction() | {"timestamp": START.isoformat()} | outcome()
    return row | {"outcome_timestamp": hours(5).isoformat()}


@pytest.mark.parametrize("name", SAID)
def test_the_table_refuses_what_validation_refuses_field_by_field(shared, name):
    refused = 0
    with shared.owner() as connection:
        for value in SAID[name]:
            row = base() | {name: value}
            found = told_by_python(row)
            assert told_by_the_table(connection, row) == found, value
            refused += bool(found)
    assert refused or name == "formula_is_called"


def test_and_all_of_them_together(shared):
    rng = np.random.default_rng(11)
    n_refused = 0
    with shared.owner() as connection:
        for _ in range(600):
            row = base()
            for name in rng.choice(list(SAID), 5, replace=False):
                row[name] = SAID[name][rng.integers(len(SAID[name]))]
            found = told_by_python(row)
            assert told_by_the_table(connection, row) == found, row
            n_refused += bool(found)
    assert 100 < n_refused < 600


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"timestamp": "9999-12-01 00:00+00"},
            r"timestamp_in_future: timestamp is 9999-12-01 .* expected a moment",
        ),
        ({"outcome_timestamp": "infinity"}, "invalid_timestamp: outcome_timestamp is infinity"),
        ({"timestamp": "-infinity"}, "invalid_timestamp: timestamp is -infinity"),
        ({"created_at": "infinity"}, "invalid_timestamp: created_at is infinity"),
        ({"formula_calling_score": float("nan")}, "not_finite: formula_calling_score is NaN"),
        ({"neural_score": float("inf")}, "not_finite: neural_score is Infinity"),
        (
            {"user_vibe_dimensions": {"novelty_seeking": 1.5}},
            r"user_vibe_dimensions\.novelty_seeking is 1\.5; expected",
        ),
        ({"context_features": {"trend_bost": 0.1}}, 'unknown_key: context_features has the key "trend_bost"'),
        ({"timing_features": {"user_patterns": "often"}}, 'wrong_type: timing_features.user_patterns is "often"'),
        ({"opportunity_id": "x" * 20_000}, r"too_long: opportunity_id is x{60}… \(20000 bytes\)"),
        ({"model_version": "x" * 300}, "too_long: model_version"),
        ({"fallback": "it broke"}, 'malformed_fallback: fallback is "it broke"; expected "model: reason"'),
        ({"metadata": {"note": "x" * 9_000}}, "too_long: metadata has 9012 bytes; expected at most 8192"),
        ({"formula_breakdown": {"note": "x" * 9_000}}, "too_long: formula_breakdown"),
        (outcome(0.1), "outcome_type is positive and outcome_score 0.1; expected positive from 0.7"),
        (outcome(kind="splendid"), 'unknown_outcome_type: outcome_type is "splendid"'),
        (outcome(at=-1), "outcome_before_interaction: outcome_timestamp is 2026-11-21 09:00:00"),
        (
            outcome() | {"first_outcome_timestamp": hours(-1)},
            "outcome_before_interaction: first_outcome_timestamp is 2026-11-21 09:00:00",
        ),
        (
            outcome() | {"outcome_timestamp": None, "first_outcome_timestamp": "9999-01-01"},
            "timestamp_in_future: first_outcome_timestamp is 9999-01-01",
        ),
        (
            {"context_features": {"vibe_compatibility": 10**400}},
            r"not_finite: context_features\.vibe_compatibility is 10+… \(401 bytes\); expected a number that a double",
        ),
    ],
    ids=lambda value: str(value)[:80],
)
def test_an_agent_is_told_key_and_value_and_what_was_expected(shared, changes, told):
    with shared.acting("authenticated", AGENT_A) as connection:
        with pytest.raises(psycopg.errors.CheckViolation, match=told) as caught:
            insert(connection, TABLE, **interaction(AGENT_A, **changes))
        assert connection.execute(f"select from public.{TABLE}").rowcount == 0
    assert "send it again" in caught.value.diag.message_hint


def test_all_that_is_wrong_is_told_at_once(shared):
    changes = {"context_features": {"a": 1, "location_proximity": 7}, "opportunity_id": " "}
    with shared.acting("authenticated", AGENT_A) as connection, pytest.raises(psycopg.errors.CheckViolation) as caught:
        insert(connection, TABLE, **interaction(AGENT_A, **changes))
    assert [code in str(caught.value) for code in ("unknown_key", "out_of_range", "empty_id")] == [True] * 3


def test_a_million_unknown_keys_are_told_in_a_few_words(shared):
    heavy = {f"key {number}": "x" * 1_000 for number in range(2_000)}
    with shared.acting("authenticated", AGENT_A) as connection, pytest.raises(psycopg.errors.CheckViolation) as caught:
        insert(connection, TABLE, **interaction(AGENT_A, user_vibe_dimensions=heavy))
    assert len(str(caught.value)) < 2_000


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"timestamp": "9999-12-01 00:00+00"}, "timestamp_in_future"),
        ({"timestamp": "infinity"}, "invalid_timestamp"),
        ({"calling_score": float("nan")}, "not_finite"),
        ({"agent_id": AGENT_A, "opportunity_id": "x" * 300}, "too_long"),
        ({"outcome_type": "positive", "outcome_score": 0.2}, "outcome_contradicts_score"),
    ],
    ids=str,
)
def test_the_apps_own_comparison_is_held_to_the_same(shared, changes, told):
    with (
        shared.acting("authenticated", AGENT_A) as connection,
        pytest.raises(psycopg.errors.CheckViolation, match=told),
    ):
        insert(connection, AB_TEST, **ab_outcome(AGENT_A, **changes))


def test_the_clock_is_that_of_the_database(database):
    ahead, too_far = (datetime.now(UTC) + timedelta(seconds=after) for after in (200, 400))
    with database.acting("authenticated", AGENT_A) as connection:
        insert(connection, TABLE, **interaction(AGENT_A, timestamp=ahead))
        with pytest.raises(psycopg.errors.CheckViolation, match="timestamp_in_future"):
            insert(connection, TABLE, **interaction(AGENT_A, timestamp=too_far))


BAD = {
    "agent_id": AGENT_A,
    "timestamp": "9999-12-01 00:00+00",
    "user_vibe_dimensions": {"novelty": 3},
    "context_features": {"location_proximity": 7},
}


def test_a_row_that_was_bad_before_still_gets_its_good_outcome_and_no_bad_one(database):
    change = f"update public.{TABLE} set outcome_type = %s, outcome_score = %s, outcome_timestamp = %s"
    with database.owner() as connection:
        insert(connection, TABLE, **interaction(**BAD) | outcome(0.1))
    with database.acting("authenticated", AGENT_A) as connection:
        with pytest.raises(psycopg.errors.CheckViolation, match="outcome_contradicts_score"):
            connection.execute(change, ("positive", 0.2, hours(6)))
        connection.execute(change, ("positive", 0.9, hours(6)))
        connection.execute(f"""update public.{TABLE} set metadata = '{{"app": "3.2"}}'""")
        row = connection.execute(f"select * from public.{TABLE}").fetchone()
    assert (row["outcome_score"], row["metadata"]) == (0.9, {"app": "3.2"})


def test_an_outcome_may_be_told_in_parts_that_agree(database):
    with database.acting("authenticated", AGENT_A) as connection:
        insert(connection, TABLE, **interaction(AGENT_A))
        connection.execute(f"update public.{TABLE} set outcome_type = 'negative'")
        with pytest.raises(psycopg.errors.CheckViolation, match="outcome_contradicts_score"):
            connection.execute(f"update public.{TABLE} set outcome_score = 0.9")
        connection.execute(f"update public.{TABLE} set outcome_score = 0.1")


def test_the_owner_and_the_service_role_are_not_asked(database):
    for acting in (database.owner, database.service):
        with acting() as connection:
            insert(connection, TABLE, **interaction(**BAD | {"opportunity_id": acting.__name__}))


def test_a_time_without_a_zone_is_utc_and_is_never_shifted(database):
    with database.acting("authenticated", AGENT_A) as connection:
        insert(connection, TABLE, **interaction(AGENT_A, timestamp="2026-11-21T10:00:00"))
        found = connection.execute(f'select "timestamp" from public.{TABLE}').fetchone()["timestamp"]
        assert found == datetime(2026, 11, 21, 10, tzinfo=UTC)

        connection.execute("set timezone = 'Asia/Tokyo'")
        for table, row in ((TABLE, interaction), (AB_TEST, ab_outcome)):
            with pytest.raises(psycopg.errors.CheckViolation, match="reads times in the zone Asia/Tokyo; expected UTC"):
                insert(connection, table, **row(AGENT_A, at=1))
        with pytest.raises(psycopg.errors.CheckViolation, match="Asia/Tokyo"):
            connection.execute(f"update public.{TABLE} set outcome_timestamp = '2026-11-21T12:00:00'")


@pytest.mark.parametrize("moment", ["infinity", "-infinity", "10000-01-01 00:00+00"])
def test_no_writer_brings_a_moment_that_nobody_can_read(shared, moment):
    day = {"day": "2026-11-21", "origin": "served", "arm": "formula"}
    broken = {"position": 0, "source": "a test", "reasons": "{missing_key}", "record": "{}"}
    for table, row in (
        ("performance", day | {"saved_at": moment, "document": day}),
        ("decisions", decision(logged_at=moment)),
        ("decisions", decision(logged_at=START, decided_at=moment)),
        ("quarantined_interactions", broken | {"identity": AGENT_A, "imported_at": moment}),
    ):
        refused = pytest.raises(psycopg.errors.CheckViolation, match="expected a moment in the years 1 to 9999")
        with shared.owner() as connection, refused:
            insert(connection, table, **row)


@pytest.mark.parametrize(
    ("function", "values"),
    [
        ("register_model_version", {"p_content": content(), "p_watermark": None, "p_actor": "me"}),
        ("log_decisions", {"p_n_rows": 1}),
        ("import_interactions", {"p_n_rows": 1, "p_source_kind": "real", "p_source": "a test"}),
    ],
)
def test_no_function_takes_such_a_moment(database, function, values):
    items = {
        "log_decisions": decision(),
        "import_interactions": {"position": 0, "reasons": ["missing_key"], "record": "{}"},
    }
    moment = {"p_logged_at" if function == "log_decisions" else "p_at": "infinity"}
    with database.service() as connection:
        if function in items:
            insert(connection, "incoming_rows", batch=AGENT_A, position=0, item=items[function])
            values = values | {"p_batch": AGENT_A}
        try:
            assert call(connection, function, **moment, **values)["status"] == "refused"
        except psycopg.errors.CheckViolation as error:
            assert "is infinity; expected a moment in the years 1 to 9999" in str(error)
