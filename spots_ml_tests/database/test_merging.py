"""What the database says of records is what `interactions/judging/merging.py` says, row by row and way by way."""

import itertools
import shutil
from datetime import datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from spots_ml.features.contract import RAW_FEATURES
from spots_ml.interactions.judging.judgement import app_record
from spots_ml.interactions.judging.rules import BLANKS
from spots_ml.interactions.reading.record_layout import FEATURE_GROUPS
from spots_ml.stores.supabase.migrations.account import apply_migrations, migration_files
from spots_ml_tests.database.import_calls import APPS_OWN, TABLE, counts, item, rows, take_in
from spots_ml_tests.database.roles import AGENT_A, START, decision, hours, insert, interaction, outcome
from spots_ml_tests.interactions.tellings import FIRST, SAID, key, of_one, records, together

ROW = f"jsonb_populate_record(null::public.{TABLE}, %s)"
COLUMNS = (
    *FEATURE_GROUPS,
    *("formula_calling_score", "formula_is_called", "outcome_type", "outcome_score", "outcome_timestamp"),
)
AGENTS = (f"agent {number}" for number in itertools.count())
generated = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def sent(row):
    """A record as it is sent; what a group does not know may be left out of it."""
    record = app_record(row)
    for group in FEATURE_GROUPS:
        record[group] = {name: value for name, value in record[group].items() if value is not None}
    return record


def said(row):
    """What a row of the table says, by the columns of `INTERACTIONS`."""
    found = {name: row[name] for name in ("agent_id", "opportunity_id", "outcome_type", "outcome_score")}
    found |= {"formula_score": row["formula_calling_score"], "is_called": row["formula_is_called"]}
    for column, name in (
        ("scored_at", "timestamp"),
        ("outcome_at", "outcome_timestamp"),
        (FIRST, "first_outcome_timestamp"),
    ):
        found[column] = datetime.fromisoformat(row[name]) if isinstance(row[name], str) else row[name]
    for group, keys in FEATURE_GROUPS.items():
        found |= {column: row[group].get(name) for name, column in keys.items()}
    found[FIRST] = None if found[FIRST] == found["outcome_at"] else found[FIRST]
    return {name: found[name] for name in SAID}


@generated
@given(of_one(), of_one(), st.booleans())
def test_two_records_say_together_what_the_module_says(shared, one, two, whole):
    layout = app_record if whole else sent
    with shared.owner() as connection:
        for known, told in ((one, two), (two, one)):
            found = connection.execute(
                f"select to_jsonb(private.merged_arrivals({ROW}, {ROW})) as said",
                [Jsonb(layout(known)), Jsonb(layout(told))],
            ).fetchone()
            assert said(found["said"]) == together([known, told])


@generated
@given(st.lists(records(), min_size=1, max_size=8))
def test_records_are_parted_as_the_module_parts_them(shared, rows):
    with shared.owner() as connection:
        found = [
            connection.execute(f"select private.interaction_identity({ROW}) as it", [Jsonb(sent(row))]).fetchone()["it"]
            for row in rows
        ]
    keys = [key(row) for row in rows]
    assert [found.index(one) for one in found] == [keys.index(one) for one in keys]


def values_of(row):
    record = sent(row)
    return [Jsonb(record[name]) if isinstance(record[name], dict) else record[name] for name in COLUMNS]


def update(connection, agent, row):
    """Add to the row of an agent; the columns that are not told are not named, or null."""
    settings = ", ".join(f"{name} = %s" for name in COLUMNS)
    connection.execute(f"update public.{TABLE} set {settings} where agent_id = %s", [*values_of(row), agent])


def upsert(connection, agent, row):
    """Write the row as a client does that does not know whether it is there."""
    names = ", ".join(COLUMNS)
    marks = ", ".join(["%s"] * len(COLUMNS))
    told = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS)
    connection.execute(
        f'insert into public.{TABLE} (agent_id, opportunity_id, "timestamp", {names}) values (%s, %s, %s, {marks})'
        f' on conflict (agent_id, opportunity_id, "timestamp") do update set {told}',
        [agent, row["opportunity_id"], row["scored_at"], *values_of(row)],
    )


@pytest.mark.parametrize("way", [update, upsert])
@generated
@given(rows=st.lists(of_one(), min_size=2, max_size=4))
def test_whatever_way_a_row_is_written_it_says_what_its_tellings_say_together(database, way, rows):
    agent = next(AGENTS)
    rows = [row | {"agent_id": agent, "scored_at": rows[0]["scored_at"]} for row in rows]
    with database.service() as connection:
        upsert(connection, agent, rows[0])
        for row in rows[1:]:
            way(connection, agent, row)
        found = connection.execute(f"select * from public.{TABLE} where agent_id = %s", [agent]).fetchall()
    assert [said(row) for row in found] == [together(rows)]


def test_a_coarser_clock_finds_the_row_it_adds_to(database):
    exact = hours(0).replace(microsecond=123_456)
    coarse = exact.replace(microsecond=123_000)
    row = dict.fromkeys(SAID) | {"opportunity_id": "spot", "scored_at": exact, RAW_FEATURES[0]: 0.3}
    label = {"outcome_type": "positive", "outcome_score": 0.9, "outcome_at": hours(1)}
    with database.service() as connection:
        upsert(connection, "a", row)
        upsert(connection, "a", dict.fromkeys(SAID) | {"opportunity_id": "spot", "scored_at": coarse} | label)
        upsert(connection, "a", row | {"scored_at": exact + timedelta(milliseconds=1)})
        found = connection.execute(f'select * from public.{TABLE} order by "timestamp"').fetchall()
    assert said(found[0]) == row | label | {"agent_id": "a"}
    assert len(found) == 2


@pytest.mark.parametrize("label_first", [False, True])
def test_a_finer_clock_finds_the_row_it_adds_to_and_its_moment_is_kept(database, label_first):
    coarse = hours(0).replace(microsecond=123_000)
    row = dict.fromkeys(SAID) | {"opportunity_id": "spot", "scored_at": coarse, RAW_FEATURES[0]: 0.3}
    label = {"outcome_type": "positive", "outcome_score": 0.9, "outcome_at": hours(1)}
    finer = [row | {"scored_at": coarse.replace(microsecond=microsecond)} for microsecond in (123_456, 123_999)]
    finer[not label_first] |= label
    with database.service() as connection:
        for one in (row, *finer, row | {"scored_at": coarse + timedelta(milliseconds=1)}):
            upsert(connection, "a", one)
        found = connection.execute(f'select * from public.{TABLE} order by "timestamp"').fetchall()
    assert said(found[0]) == finer[1] | label | {"agent_id": "a"}
    assert [row["timestamp"] for row in found[1:]] == [coarse + timedelta(milliseconds=1)]


def test_what_is_known_by_a_coarser_clock_may_be_sent_once_more(database):
    coarse = hours(0).replace(microsecond=123_000)
    add = (
        f"insert into public.{TABLE} (agent_id, opportunity_id, user_vibe_dimensions, spot_vibe_dimensions,"
        ' "timestamp", formula_calling_score, formula_is_called)'
        " values (%s, 'spot', '{}', '{}', %s, 0.7, true)"
        ' on conflict (agent_id, opportunity_id, "timestamp") do nothing returning id'
    )
    with database.acting("authenticated", AGENT_A) as connection:
        assert connection.execute(add, [AGENT_A, coarse]).fetchone()
        assert connection.execute(add, [AGENT_A, coarse.replace(microsecond=123_456)]).fetchone() is None


def test_what_the_pipeline_does_not_read_is_not_forgotten_either(database):
    known = {
        "metadata": {"app": "3.1"},
        "formula_breakdown": {"vibe_compatibility": 0.9},
        "model_version": "v1.3-real",
        "outcome_model_version": "v1.1-real",
        "arm": "hybrid",
        "propensity": 0.95,
        "weight": 0.1,
        "neural_score": 0.3,
        "calling_score": 0.6,
        "is_called": False,
        "fallback": "outcome: slow",
    }
    with database.service() as connection:
        insert(connection, TABLE, **interaction(**known))
        connection.execute(f"update public.{TABLE} set {', '.join(f'{name} = null' for name in known)}")
        row = connection.execute(f"select * from public.{TABLE}").fetchone()
        assert {name: row[name] for name in known} == known
        connection.execute(f"update public.{TABLE} set weight = 0.3, metadata = '{{}}'")
        row = connection.execute(f"select * from public.{TABLE}").fetchone()
    assert (row["weight"], row["metadata"]) == (0.3, {})


def test_an_outcome_keeps_its_id_and_a_late_older_one_changes_nothing(database):
    ids = ["00000000-0000-4000-8000-0000000000f1", "00000000-0000-4000-8000-0000000000f2"]
    settings = "outcome_id = %s, outcome_type = %s, outcome_score = %s, outcome_timestamp = %s"
    with database.acting("authenticated", AGENT_A) as agent:
        insert(agent, TABLE, **interaction(AGENT_A) | outcome(0.1, "negative", at=9) | {"outcome_id": ids[0]})
        agent.execute(f"update public.{TABLE} set {settings}", [ids[1], *outcome(0.9, at=8).values()])
        early = agent.execute(f"select * from public.{TABLE}").fetchone()
        agent.execute(f"update public.{TABLE} set {settings}", [ids[1], *outcome(0.9, at=10).values()])
        late = agent.execute(f"select * from public.{TABLE}").fetchone()
    assert [(str(row["outcome_id"]), row["outcome_score"]) for row in (early, late)] == [(ids[0], 0.1), (ids[1], 0.9)]


def test_what_the_app_derived_goes_with_the_features_it_was_derived_from(database):
    derived = {"location_proximity": 0.9, "vibe_compatibility": 0.8, "context_feature_7": 0.1}
    with database.service() as connection:
        insert(connection, TABLE, **interaction(context_features=derived, timing_features={"timing_alignment": 0.5}))
        connection.execute(f"""update public.{TABLE} set user_vibe_dimensions = '{{"novelty_seeking": 0.7}}'""")
        kept = connection.execute(f"select * from public.{TABLE}").fetchone()
        connection.execute(f"""update public.{TABLE} set user_vibe_dimensions = '{{"overall_energy": 0.2}}'""")
        changed = connection.execute(f"select * from public.{TABLE}").fetchone()
    assert (kept["context_features"], kept["timing_features"]) == (derived, {"timing_alignment": 0.5})
    assert (changed["context_features"], changed["timing_features"]) == ({"location_proximity": 0.9}, {})
    assert changed["user_vibe_dimensions"] == {"novelty_seeking": 0.7, "overall_energy": 0.2}


@pytest.mark.parametrize("name", ["agent_id", "opportunity_id"])
def test_white_space_is_no_id(shared, name):
    with shared.service() as connection:
        for blank in (*BLANKS, BLANKS):
            with pytest.raises(psycopg.errors.CheckViolation):
                insert(connection, TABLE, **interaction(**{name: blank}))


def test_rows_of_before_are_told_by_the_millisecond_and_a_twin_stays_what_it_was(empty_project, tmp_path):
    """One row with microseconds, its twin, one that was told by the millisecond already, and an anonymous one."""
    for file in migration_files():
        if file.name < "20261125100000":
            shutil.copy(file, tmp_path)
    apply_migrations(empty_project.url, tmp_path)
    exact = START.replace(microsecond=123_456)
    with empty_project.service() as connection:
        for moment in (exact, exact + timedelta(microseconds=1), START):
            insert(connection, TABLE, **interaction(timestamp=moment))
        insert(connection, TABLE, **interaction(agent_id=None))
        before = connection.execute(f"select id, identity from public.{TABLE} order by row_sequence").fetchall()
    apply_migrations(empty_project.url)
    with empty_project.owner() as connection:
        after = connection.execute(
            f"select id, identity, private.interaction_identity(data) as told from public.{TABLE} as data"
            " join public.training_arrivals using (id) order by row_sequence"
        ).fetchall()
    assert [one["identity"] == one["told"] for one in after] == [True, False, True, True]
    kept = [one["identity"] == two["identity"] for one, two in zip(before, after, strict=True)]
    assert kept == [False, True, True, False]


@pytest.mark.parametrize("labelled", [0, 1, 2])
def test_of_twins_of_before_a_decision_finds_the_one_that_is_labelled_and_they_can_be_told_again(
    empty_project, tmp_path, labelled
):
    for file in migration_files():
        if file.name < "20261125100000":
            shutil.copy(file, tmp_path)
    apply_migrations(empty_project.url, tmp_path)
    moments = [START.replace(microsecond=microsecond) for microsecond in (123_456, 123_000, 123_789)]
    twins = [
        interaction(timestamp=moment) | (outcome() if place == labelled else {}) for place, moment in enumerate(moments)
    ]
    with empty_project.owner() as connection:
        for row in twins:
            insert(connection, TABLE, **row)
        told = decision(decided_at=moments[labelled], logged_at=START, version=None, outcome_version=None)
        insert(connection, "decisions", **told)
    apply_migrations(empty_project.url)
    with empty_project.service() as connection:
        (found,) = connection.execute("select outcome_score from public.decisions_with_outcomes").fetchall()
        assert found["outcome_score"] == outcome()["outcome_score"]
        for row in twins:
            sent_again = {name: value for name, value in row.items() if name not in APPS_OWN}
            assert counts(take_in(connection, item(**sent_again))) == (1, 0, 0, 0)
        assert {row["timestamp"] for row in rows(connection)} == set(moments)
