"""Stores of an earlier program open and are upgraded; they tell what they told then, and take in what is new."""

import contextlib
import shutil
import sqlite3
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
import pytest

from spots_ml.digests import digest_bytes, digest_file
from spots_ml.scoring.decision_log.deciding_arms import deciding_arms
from spots_ml.scoring.decision_log.fields import DECISIONS
from spots_ml.stores.embedded.schema import STEPS
from spots_ml.stores.embedded.store import embedded_store
from spots_ml.stores.supabase.migrations.account import MIGRATIONS_DIR
from spots_ml.stores.supabase.postgres.bulk_read import DirectReads
from spots_ml.stores.supabase.store import supabase_store
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.connection import SupabaseConnection
from spots_ml_tests.registry.blessing import promote_blessed
from spots_ml_tests.registry.building import make_candidate
from spots_ml_tests.scoring.deciding import decide
from spots_ml_tests.stores import keeping_interactions, keeping_performance
from spots_ml_tests.stores.earlier_stores import (
    MIGRATIONS_THEN,
    STEPS_THEN,
    project_of_then,
    told_then,
    write_embedded,
)
from spots_ml_tests.stores.telling import SINCE, UNTIL, part_that_was_told, told

LATER = datetime(2026, 11, 24, tzinfo=UTC)
MODEL = "calling_score"
NEW = keeping_interactions.interaction(500)
OUTCOME = {"outcome_type": "neutral", "outcome_score": 0.5, "outcome_at": LATER}


@contextlib.contextmanager
def opened(project, direct=None):
    with Calls(SupabaseConnection(project.url, project.keys.secret), random=np.random.default_rng(1)) as calls:
        yield supabase_store(calls, direct)


@pytest.fixture(scope="module")
def upgraded():
    """A project of then, started by today's program, and what it told at once over the API and over Postgres."""
    folder = Path(tempfile.mkdtemp(prefix="spots_ml_test_"))
    folder.chmod(0o755)  # Postgres may run as another user.
    point = told_then("supabase")["point"]
    with project_of_then(folder) as project:
        found = {}
        for kind, direct in (("supabase", None), ("postgres", DirectReads(project.dsn))):
            with opened(project, direct) as store:
                found[kind] = told(store, point)
        yield project, found
    shutil.rmtree(folder)


@pytest.fixture
def embedded_then(tmp_path):
    write_embedded(tmp_path / "store.sqlite")
    return embedded_store(tmp_path / "store.sqlite")


def assert_told_as_then(found, kind):
    then = told_then(kind)
    del then["point"]
    then["decisions"] = as_replays(then["decisions"])
    then["phone_manifest"] = without_offers(then["phone_manifest"])
    found = found | {"history": found["history"][: len(then["history"])]}
    assert part_that_was_told(found, then) == then


def without_offers(manifest):
    """Nothing said whom a version that was offered then is for: phones are told of none until a rollout says it."""
    if manifest is None:
        return None
    models = {name: model | {"rolling_out": None} for name, model in manifest["models"].items()}
    return manifest | {"format_version": 2, "models": models}


def as_replays(decisions):
    """All of them were logged ten days after their moment: they decided nothing then, and no outcome is theirs."""
    n_rows = len(decisions["origin"])
    return decisions | {"origin": ["replayed"] * n_rows} | dict.fromkeys(("propensity", *OUTCOME), [None] * n_rows)


def test_an_embedded_store_tells_what_it_told_then(embedded_then):
    assert_told_as_then(told(embedded_then, told_then("embedded")["point"]), "embedded")


def test_an_upgraded_file_is_made_like_a_new_one(tmp_path):
    write_embedded(tmp_path / "then.sqlite")
    for name in ("then.sqlite", "new.sqlite"):
        embedded_store(tmp_path / name).interactions.label_watermark()

    assert made(tmp_path / "then.sqlite") == made(tmp_path / "new.sqlite")


def made(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall()
        return tables, connection.execute("PRAGMA user_version").fetchone()


@pytest.mark.parametrize("path", ["supabase", "postgres"])
def test_a_project_tells_what_it_told_then(upgraded, path):
    assert_told_as_then(upgraded[1][path], "supabase")


@pytest.mark.parametrize("name", MIGRATIONS_THEN)
def test_a_migration_that_projects_have_is_never_edited(name):
    assert digest_file(MIGRATIONS_DIR / name) == MIGRATIONS_THEN[name]


def test_a_step_that_files_have_taken_is_never_edited():
    assert tuple(digest_bytes(step.encode()) for step in STEPS[: len(STEPS_THEN)]) == STEPS_THEN


def test_the_steps_of_rollouts_became_part_of_the_history(upgraded):
    (entry,) = upgraded[1]["supabase"]["history"][len(told_then("supabase")["history"]) :]

    assert (entry["version"], entry["action"], entry["actor"]) == ("v1.4-real", "traffic_set", "ann")
    assert (entry["from_value"], entry["to_value"], entry["reason"]) == (0.0, 0.1, "a first tenth")


def test_a_project_keeps_what_the_store_does_not_tell(upgraded):
    with psycopg.connect(upgraded[0].owner_dsn) as connection:
        said = connection.execute(
            "select formula_breakdown, context_features -> 'context_feature_7', metadata, model_version,"
            " outcome_model_version, arm, propensity, weight, neural_score, calling_score"
            " from public.calling_score_training_data where opportunity_id = 'spot 20'"
        ).fetchall()
        compared = connection.execute(
            "select agent_id, test_group, calling_score, outcome_type"
            " from public.calling_score_ab_test_outcomes order by agent_id"
        ).fetchall()
        set_aside = connection.execute(
            "select position, reasons from public.quarantined_interactions order by position"
        ).fetchall()
    said_then = ({"vibe_compatibility": 0.9}, 0.123, {"app": "3.1"}, "v1.1-hybrid", "v1.0-real", "hybrid", 0.9)
    assert said == [(*said_then, 0.1, 0.6, 0.72)]
    assert compared == [("agent-1", "hybrid", 0.8, "positive"), ("agent-2", "formulaBased", 0.8, None)]
    assert set_aside == [(7, ["outcome_contradicts_score"]), (8, ["malformed_record"])]


@pytest.mark.parametrize("kind", ["embedded", "supabase"])
def test_what_it_had_set_aside_was_there_at_every_watermark(request, kind):
    if kind == "embedded":
        assert_set_aside_from_the_start(request.getfixturevalue("embedded_then"), told_then(kind))
    else:
        with opened(request.getfixturevalue("upgraded")[0]) as store:
            assert_set_aside_from_the_start(store, told_then(kind))


def assert_set_aside_from_the_start(store, then):
    nothing = then["point"].replace(then["point"].removeprefix("supabase:"), "0/0")
    for watermark in (nothing, then["point"], then["watermark"], None):
        batches = store.interactions.read_quarantine(watermark)
        found = [problems for batch in batches for problems in batch["problems"].to_pylist()]
        assert found == [["outcome_contradicts_score"], ["malformed_record"]]


@pytest.mark.parametrize("kind", ["embedded", "supabase"])
def test_it_takes_in_what_is_new(request, kind):
    if kind == "embedded":
        take_in_what_is_new(request.getfixturevalue("embedded_then"), told_then(kind))
    else:
        with opened(request.getfixturevalue("upgraded")[0]) as store:
            take_in_what_is_new(store, told_then(kind))


def take_in_what_is_new(store, then):
    interactions_are_known_and_go_on(store, then)
    decisions_are_known_and_go_on(store)
    versions_are_known_and_go_on(store.versions)
    performance_is_replaced_and_goes_on(store)


def interactions_are_known_and_go_on(store, then):
    known = [row for row in keeping_interactions.read(store).to_pylist() if row["problems"] is None]
    assert imported(store, known) == (0, 0, 0)
    assert store.interactions.label_watermark() == then["watermark"]

    (waiting,) = (row for row in known if row["opportunity_id"] == "spot 3")
    assert imported(store, [waiting | OUTCOME, NEW]) == (1, 1, 2)
    assert store.interactions.count_labels_after(then["watermark"]) == 2


def imported(store, rows):
    report = store.interactions.import_interactions(keeping_interactions.stream(rows), now=LATER)
    return report.n_new, report.n_updated, report.n_new_labels


def as_today(decisions):
    """The same decisions as today's program makes them."""
    share, boost, on = (pa.repeat(pa.scalar(value), decisions.num_rows) for value in (1.0, 0.0, False))
    columns = {"arm": deciding_arms(decisions), "share": share, "trend_boost": boost, "filter_on": on}
    for name, values in columns.items():
        decisions = decisions.set_column(decisions.column_names.index(name), DECISIONS.field(name), values)
    return decisions


def decisions_are_known_and_go_on(store):
    logged = store.decisions.read_decisions(SINCE, UNTIL)
    (of_then,) = (row for row in logged.to_pylist() if row["opportunity_id"] == "spot 3")
    assert {name: of_then[name] for name in OUTCOME} == dict.fromkeys(OUTCOME)
    assert set(logged["claim"].to_pylist()) == {"another_moment", "scored_again"}

    again = store.decisions.log_decisions([as_today(logged.select(DECISIONS.names))], now=LATER)
    more = store.decisions.log_decisions([decide([NEW], now=LATER, server=store.history)], now=LATER)
    assert (again.n_new, again.n_known, more.n_new) == (0, len(logged), 1)


def versions_are_known_and_go_on(versions):
    assert not versions.register(make_candidate("a", "v1.0-synthetic"), now=LATER, actor="a test").created
    assert versions.register(make_candidate("z", "v1.5-real"), now=LATER, actor="a test").created

    change = {"now": LATER, "actor": "a test", "reason": ""}
    assert promote_blessed(versions, MODEL, "v1.5-real", **change).status == "active"
    assert versions.rollback(MODEL, **change).version == "v1.1-hybrid"
    assert [entry.action for entry in versions.history(MODEL)[-6:]] == [
        *("reaffirmed", "registered", "superseded", "promoted", "rolled_back", "restored")
    ]


def performance_is_replaced_and_goes_on(store):
    keeping_performance.save(store, keeping_performance.row(day=20), keeping_performance.row(day=22))
    assert [len(keeping_performance.read(store, day, day + 1)) for day in (20, 21, 22)] == [3, 1, 1]
