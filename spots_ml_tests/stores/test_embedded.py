import multiprocessing
import os
import signal
import sqlite3
import time

import pytest

from spots_ml.errors import ArtifactError, RegistryError
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.registry.blessing import bless, promote_blessed
from spots_ml_tests.registry.building import hours, make_candidate
from spots_ml_tests.stores.behind import file_of

MODEL = "calling_score"
FORK = multiprocessing.get_context("fork")


def execute(path, statement):
    connection = sqlite3.connect(path)
    try:
        connection.execute(statement)
        connection.commit()
    finally:
        connection.close()


def run_at_once(function, arguments):
    barrier = FORK.Barrier(len(arguments))
    processes = [FORK.Process(target=function, args=(barrier, *one)) for one in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def promote_one(barrier, path, number):
    store = embedded_store(path)
    barrier.wait()
    name, who = f"v1.{number}-synthetic", f"process {number}"
    store.versions.promote(MODEL, name, now=hours(number), actor=who, reason="race", forced=True)


def try_to_promote_the_same(barrier, path):
    store = embedded_store(path)
    barrier.wait()
    try:
        store.versions.promote(MODEL, "v1.0-synthetic", now=hours(0), actor="one of many", reason="race")
    except RegistryError:
        os._exit(7)


def open_first(barrier, path):
    barrier.wait()
    embedded_store(path).interactions.label_watermark()


def fill(store, n_versions):
    for number in range(n_versions):
        store.versions.register(make_candidate(f"{number}", f"v1.{number}-synthetic"), now=hours(number), actor="test")


def test_eight_processes_promoting_at_once_leave_one_active_and_lose_no_history(embedded):
    fill(embedded, 8)

    assert run_at_once(promote_one, [(file_of(embedded), number) for number in range(8)]) == [0] * 8

    status = [one.status for one in embedded.versions.list_versions()]
    actions = [entry.action for entry in embedded.versions.history()]
    assert (status.count("active"), status.count("deprecated")) == (1, 7)
    assert (actions.count("registered"), actions.count("promoted"), actions.count("superseded")) == (8, 8, 7)
    last = [entry.version for entry in embedded.versions.history() if entry.action == "promoted"][-1]
    assert embedded.versions.get(MODEL, last).status == "active"


def test_of_eight_processes_promoting_the_same_version_one_succeeds(embedded):
    fill(embedded, 1)
    bless(embedded.versions, MODEL, "v1.0-synthetic")

    assert sorted(run_at_once(try_to_promote_the_same, [(file_of(embedded),)] * 8)) == [0] + [7] * 7
    assert [entry.action for entry in embedded.versions.history()] == ["registered", "promoted"]


def test_eight_processes_may_create_the_store_at_once(tmp_path):
    assert run_at_once(open_first, [(tmp_path / "new" / "store.sqlite",)] * 8) == [0] * 8


def promote_and_roll_back_forever(path):
    store = embedded_store(path)
    for number in range(1, 1000):
        name = f"v1.{number}-synthetic"
        store.versions.register(make_candidate(str(number), name), now=hours(number), actor="busy")
        promote_blessed(store.versions, MODEL, name, now=hours(number), actor="busy", reason="")


@pytest.mark.parametrize("delay_s", [0.05, 0.1, 0.15, 0.2, 0.25])
def test_killed_in_the_middle_of_changes_the_registry_stays_consistent(embedded, delay_s):
    fill(embedded, 1)
    process = FORK.Process(target=promote_and_roll_back_forever, args=(file_of(embedded),))
    process.start()
    time.sleep(delay_s)
    os.kill(process.pid, signal.SIGKILL)
    process.join()

    again = embedded_store(file_of(embedded))
    versions, history = again.versions.list_versions(), again.versions.history()
    last_status = {entry.version: entry.to_status for entry in history}
    assert {one.version: one.status for one in versions} == last_status
    assert [entry.sequence for entry in history] == list(range(1, len(history) + 1))
    assert sum(one.status == "active" for one in versions) <= 1


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE version_history SET actor = 'nobody'", "append-only"),
        ("DELETE FROM version_history", "append-only"),
        ("DELETE FROM model_versions", "never deleted"),
        ("UPDATE model_versions SET content = '{}'", "never changes"),
        ("UPDATE model_versions SET status = 'active', traffic = 1", "UNIQUE"),
        ("UPDATE model_versions SET traffic = 0.5", "UNIQUE"),
        ("UPDATE model_versions SET status = 'active'", "the active version has the traffic 1"),
        ("UPDATE model_versions SET traffic = 1.5", "CHECK"),
        ("UPDATE model_versions SET status = 'great'", "CHECK"),
    ],
)
def test_the_database_itself_refuses_what_must_not_happen(embedded, statement, told):
    fill(embedded, 2)

    with pytest.raises(sqlite3.IntegrityError, match=told):
        execute(file_of(embedded), statement)


def test_the_count_of_new_labels_comes_from_an_index(embedded):
    connection = sqlite3.connect(file_of(embedded))
    plan = connection.execute(
        "EXPLAIN QUERY PLAN SELECT count(*) FROM interactions WHERE label_sequence > 5"
    ).fetchall()
    connection.close()

    assert "COVERING INDEX labels_by_arrival" in plan[0][3]


def test_a_file_that_is_no_database_is_one_clear_error(tmp_path):
    path = tmp_path / "store.sqlite"
    path.write_bytes(b"not a database " * 100)

    with pytest.raises(ArtifactError, match=r"no SQLite database.*move it away to start an empty store"):
        embedded_store(path)


def test_a_store_of_a_later_schema_is_refused(embedded):
    execute(file_of(embedded), "PRAGMA user_version = 99")

    with pytest.raises(ArtifactError, match="schema version 99"):
        embedded_store(file_of(embedded))


def test_it_runs_in_wal_mode(embedded):
    connection = sqlite3.connect(file_of(embedded))
    mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    connection.close()

    assert mode == "wal"
