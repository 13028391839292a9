"""What is kept of rollouts is not changed unseen: damaged documents, and rows of the embedded file that only grow."""

import contextlib
import sqlite3

import pytest

from spots_ml.digests import digest_bytes
from spots_ml.errors import ArtifactError
from spots_ml_tests.stores.behind import file_of
from spots_ml_tests.stores.keeping_rollouts import alter, record, start, units
from spots_ml_tests.stores.keeping_versions import fill

TABLES = ("rollouts", "rollout_events", "rollout_looks", "rollout_units")


@pytest.fixture
def rolling(embedded):
    """A store with a rollout, a look at it and units."""
    fill(embedded, "a")
    rollout = start(embedded, 0)
    record(embedded, rollout, units(rollout, "agent-1", "agent-2"))
    return embedded


def run(store, *statements):
    with contextlib.closing(sqlite3.connect(file_of(store))) as connection, connection:
        for statement, *values in statements:
            connection.execute(statement, values)


@pytest.mark.parametrize("table", TABLES)
def test_rows_are_not_deleted(rolling, table):
    with pytest.raises(sqlite3.IntegrityError, match=r"append-only|never deleted"):
        run(rolling, (f"DELETE FROM {table}",))


@pytest.mark.parametrize(
    "change",
    [
        "rollout_events SET reason = 'x'",
        "rollout_looks SET actor = 'x'",
        "rollout_units SET number = 9",
        "rollouts SET salt = 'x'",
        "rollouts SET document = '{}'",
        "rollouts SET version = 'v1.0-synthetic'",
    ],
)
def test_rows_are_not_changed(rolling, change):
    with pytest.raises(sqlite3.IntegrityError, match=r"append-only|never changes"):
        run(rolling, (f"UPDATE {change}",))


def test_a_rollout_that_is_over_stays_over(rolling):
    alter(rolling, rolling.rollouts.list_rollouts()[0], "ended")
    with pytest.raises(sqlite3.IntegrityError, match="over never changes"):
        run(rolling, ("UPDATE rollouts SET status = 'running'",))


def test_a_second_rollout_on_its_way_is_against_an_index(rolling):
    columns = "model_type, version, status, stage, started_at, last_event, document, digest"
    with pytest.raises(sqlite3.IntegrityError, match=r"UNIQUE constraint failed: rollouts\.model_type"):
        run(rolling, (f"INSERT INTO rollouts (salt, {columns}) SELECT 'x', {columns} FROM rollouts",))


def test_a_start_takes_back_what_another_version_had_of_traffic_from_a_hand(embedded):
    fill(embedded, "a", "b")
    run(embedded, ("UPDATE model_versions SET traffic = 0.3 WHERE version = 'v1.0-synthetic'",))
    start(embedded, 1)
    assert [one.traffic for one in embedded.versions.list_versions()] == [0.0, 0.1]
    taken = embedded.versions.history()[-2]
    assert (taken.version, taken.action, taken.to_value) == ("v1.0-synthetic", "traffic_set", 0.0)


def damage(store, table, change):
    """Change a document past the triggers; where a digest is to fit, it is made so."""
    triggers = {"rollouts": "starts_are_not_changed", "rollout_looks": "looks_are_not_changed"}
    with contextlib.closing(sqlite3.connect(file_of(store))) as connection, connection:
        connection.execute(f"DROP TRIGGER {triggers[table]}")
        (document,) = connection.execute(f"SELECT document FROM {table}").fetchone()
        changed = document.replace(*change)
        assert changed != document
        connection.execute(f"UPDATE {table} SET document = ?", (changed,))
        return changed


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("rollouts", ('"lifetime_level":0.05', '"lifetime_level":0.5')),
        ("rollout_looks", ('"n_units":2', '"n_units":7')),
    ],
)
def test_a_document_that_is_damaged_is_never_read_as_if_it_were_not(rolling, table, change):
    changed = damage(rolling, table, change)
    with pytest.raises(ArtifactError, match=r"rollout-1 in the store .* is not what it was when it was kept"):
        rolling.rollouts.rollout_looks(1)

    run(rolling, (f"UPDATE {table} SET digest = ?", digest_bytes(changed.encode())))
    rolling.rollouts.rollout_looks(1)


@pytest.mark.parametrize("table", ["rollouts", "rollout_looks"])
def test_a_document_of_a_later_program_is_told_to_be_one(rolling, table):
    changed = damage(rolling, table, ("{", '{"unheard_of":1,'))
    run(rolling, (f"UPDATE {table} SET digest = ?", digest_bytes(changed.encode())))
    with pytest.raises(ArtifactError, match="none that this program can read"):
        rolling.rollouts.rollout_looks(1)
