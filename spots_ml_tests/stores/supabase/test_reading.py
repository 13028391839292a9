"""Bulk reads of what an app wrote: both ways tell the same, and the same as the reader of the app's exports."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.interactions.judging.judgement import judge
from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.reading.export import read_export
from spots_ml.interactions.reading.record_layout import DERIVED_KEYS, FEATURE_GROUPS, PLACEHOLDERS
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.local_supabase.postgres import ADMIN
from spots_ml.stores.supabase import reading as supabase_reading
from spots_ml.stores.supabase.postgres.bulk_read import DirectReads
from spots_ml.stores.supabase.store import supabase_store
from spots_ml.stores.supabase.transport.refusals import AccessError
from spots_ml_tests.database import roles
from spots_ml_tests.stores.keeping_interactions import NOW, interaction, read, take_in

TABLE = "calling_score_training_data"
WAYS = ("api", "postgres")
LABEL = {"outcome_type": "positive", "outcome_score": 0.9, "outcome_timestamp": datetime(2026, 11, 20, tzinfo=UTC)}
UNKNOWN = {group: dict.fromkeys(keys) for group, keys in FEATURE_GROUPS.items()}


@pytest.fixture
def ways(relayed, project):
    """The same project, read both ways."""
    return {"api": supabase_store(relayed), "postgres": supabase_store(relayed, DirectReads(project.dsn))}


@pytest.fixture(params=WAYS)
def store(request, ways):
    return ways[request.param]


@pytest.fixture
def app(project):
    """A connection that writes what an app may have written."""
    with psycopg.connect(project.owner_dsn, autocommit=True) as connection:
        yield connection


def write(connection, *rows):
    for row in rows:
        roles.insert(connection, TABLE, **row)


def record(number=0, **changes):
    """A record of the app, complete."""
    groups = {
        group: {key: (number + place) % 9 / 8 for place, key in enumerate(keys)} for group, keys in UNKNOWN.items()
    }
    who = {"agent_id": f"agent {number % 7}", "opportunity_id": f"spot {number}"}
    labels = {"formula_calling_score": 0.1 + 0.2, "formula_is_called": False}
    return who | groups | labels | {"timestamp": datetime(2026, 11, 1, 10, 0, number % 60, 123457, UTC)} | changes


def exported(path, records):
    """What the reader of exports makes of them, an absent key of a group being an unknown value."""
    whole = [
        one | {group: keys | one[group] for group, keys in UNKNOWN.items() if one.get(group) is not None}
        for one in records
    ]
    told = [{key: value for key, value in one.items() if key not in UNKNOWN or value is not None} for one in whole]
    path.write_text(json.dumps({"metadata": {}, "training_data": told}, default=datetime.isoformat))
    return parted(pa.Table.from_batches(list(read_export(path).batches), schema=INTERACTIONS))


def parted(table):
    """All columns but the record, and what that says; how a time is written and the order of keys do not matter."""
    records = [text and json.loads(text, parse_int=float) for text in table["record"].to_pylist()]
    for one in records:
        if one is not None:
            one.pop("timestamp")
            one.pop("outcome_timestamp", None)
    return table.drop_columns(["record"]).to_pylist(), records


ODD = st.one_of(
    st.sampled_from([None, 1, 0, 1.7, -0.5, 10**400, 1e300, 1.1e300, 5e-324, "0.5", "high", True, [0.5], {}, [], ""]),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value + 0.0),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3),
)
GOOD = st.floats(0, 1).map(lambda value: value + 0.0)


def group(name):
    known = [*FEATURE_GROUPS[name], *DERIVED_KEYS[name], *PLACEHOLDERS[name]]
    changed = st.dictionaries(st.sampled_from([*known, "surprise"]), st.one_of(ODD, GOOD), max_size=3)
    left_out = st.sets(st.sampled_from(known), max_size=3)
    whole = st.fixed_dictionaries(dict.fromkeys(FEATURE_GROUPS[name], GOOD))
    return st.builds(
        lambda values, changes, missing: {k: v for k, v in (values | changes).items() if k not in missing},
        whole,
        st.one_of(st.just({}), changed),
        left_out,
    )


MOMENTS = st.one_of(
    st.sampled_from([datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]),
    st.integers(-(10**9), 10**9).map(lambda s: NOW + timedelta(seconds=s, microseconds=s % 7)),
)
APP_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            **{name: group(name) for name in ("user_vibe_dimensions", "spot_vibe_dimensions")},
            **{name: st.one_of(st.none(), group(name)) for name in ("context_features", "timing_features")},
            "formula_calling_score": GOOD,
            "timestamp": MOMENTS,
        }
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=APP_ROWS)
@example(rows=[{"timestamp": datetime.max.replace(tzinfo=UTC), "context_features": {"vibe_compatibility": 0.3}}])
def test_whatever_the_app_wrote_is_read_as_the_reader_of_exports_reads_it(ways, app, project, tmp_path, rows):
    project.empty()
    records = [record(number) | row for number, row in enumerate(rows)]
    write(app, *records)

    expected = exported(tmp_path / "export.json", records)
    for way in WAYS:
        assert parted(read(ways[way])) == expected


def test_numbers_and_microseconds_come_bit_by_bit(store, ways, app):
    generator = np.random.default_rng(0)
    rows = [
        record(
            number,
            user_vibe_dimensions=dict(zip(UNKNOWN["user_vibe_dimensions"], generator.random(12).tolist(), strict=True)),
        )
        for number in range(200)
    ]
    write(app, *rows)
    table = read(store)

    for key, column in FEATURE_GROUPS["user_vibe_dimensions"].items():
        assert table[column].to_pylist() == [row["user_vibe_dimensions"][key] for row in rows]
    assert table["scored_at"].to_pylist() == [row["timestamp"] for row in rows]
    assert table["formula_score"].to_pylist() == [0.1 + 0.2] * 200


def test_broken_rows_among_many_stand_where_they_arrived(store, app):
    broken = {"context_features": {"journey_alignment": "near"}}
    write(app, *(record(number, **(broken if number in (0, 7, 8, 19) else {})) for number in range(20)))
    table = read(store)

    assert table["position"].to_pylist() == list(range(20))
    assert table["opportunity_id"].to_pylist() == [f"spot {number}" for number in range(20)]
    assert [row for row, problems in enumerate(table["problems"].to_pylist()) if problems] == [0, 7, 8, 19]


def test_derived_features_that_the_app_got_wrong_are_told(store, app):
    write(app, record(0, timing_features={"user_patterns": 0.5, "timing_alignment": 0.5}), record(1))
    write(app, record(2, timing_features={"user_patterns": 0.5, "timing_alignment": 0.9}))

    assert read(store)["problems"].to_pylist() == [None, None, ["derived_mismatch"]]


def test_an_outcome_that_arrived_later_is_shown_neither_in_columns_nor_in_the_record_of_a_broken_row(store, app):
    write(app, record(0, user_vibe_dimensions={"surprise": 1}), record(1))
    then = store.interactions.label_watermark()
    app.execute(f"update public.{TABLE} set outcome_type = 'positive', outcome_score = 0.9, outcome_timestamp = now()")
    before, now = read(store, then), read(store)

    assert before["outcome_score"].to_pylist() == [None, None]
    assert "outcome_score" not in json.loads(before["record"][0].as_py())
    assert now["outcome_score"].to_pylist() == [0.9, 0.9]
    assert json.loads(now["record"][0].as_py())["outcome_score"] == 0.9


def test_rows_that_are_deleted_between_opening_and_reading_are_not_missed(store, app):
    write(app, *(record(number) for number in range(10)))
    stream = store.interactions.read_interactions()
    app.execute(f"delete from public.{TABLE} where opportunity_id in ('spot 3', 'spot 9')")

    assert sum(batch.num_rows for batch in stream.batches) == 8


def test_a_correction_between_two_pages_is_not_seen_under_the_watermark_of_before(store, app, monkeypatch):
    monkeypatch.setattr(supabase_reading, "_BATCH_ROWS", 10)
    write(app, *(record(number) | LABEL for number in range(30)))
    before = read(store)
    monkeypatch.setattr("spots_ml.stores.supabase.transport.paging.read_pages.__kwdefaults__", {"page_rows": 10})
    batches = store.interactions.read_interactions().batches
    first = next(batches)
    app.execute(f"update public.{TABLE} set outcome_score = 0.8, outcome_timestamp = now() - interval '1 minute'")
    store.interactions.label_watermark()

    assert pa.Table.from_batches([first, *batches]).equals(before)
    assert set(read(store)["outcome_score"].to_pylist()) == {0.8}


def test_history_knows_no_rows_that_training_refuses(store, app):
    rows = [record(7 * number, timestamp=datetime(2026, 11, 1 + number, tzinfo=UTC)) for number in range(6)]
    rows[1]["user_vibe_dimensions"] = {"trust_network_reliance": 1.7}
    rows[3]["spot_vibe_dimensions"] = {"trust_network_reliance": "much"}
    rows[4] |= {"outcome_type": "positive", "outcome_score": 0.1}
    write(app, *rows)

    judged = judge(lambda: store.interactions.read_interactions().batches, config=ValidationConfig(), now=NOW)
    assert judged.n_broken == 3
    served = store.history.serve_history(["agent 0"], np.array(["2026-11-20"], "datetime64[us]")).values[0]
    assert served[HISTORY_FEATURES.index("interaction_count")] == np.float32(0.03)


@pytest.fixture
def blind(project):
    """A role that may read the tables, and to which row level security shows nothing."""
    with project.server.connect(project.database, ADMIN, autocommit=True) as owner:
        owner.execute("create role blind login")
        owner.execute("grant usage on schema private to blind; grant select on all tables in schema public to blind")
        owner.execute("grant execute on all functions in schema private to blind")
        yield DirectReads(project.server.url(project.database, "blind"))
        owner.execute("drop owned by blind; drop role blind")


def test_a_role_that_does_not_see_the_rows_is_told_and_never_taken_for_an_empty_project(relayed, blind):
    take_in(supabase_store(relayed), [interaction(number) for number in range(3)])
    store = supabase_store(relayed, blind)

    with pytest.raises(AccessError, match="policies hide rows from the DSN's role"):
        read(store)
    with pytest.raises(AccessError, match="policies hide rows from the DSN's role"):
        store.history.serve_history(["agent 1"], np.array(["2026-11-20"], "datetime64[us]"))
