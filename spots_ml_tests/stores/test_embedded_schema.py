"""Files of earlier programs are brought up to date, whole or not at all; `version_1.sql` is one, as text."""

import hashlib
import multiprocessing
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from spots_ml.errors import ArtifactError
from spots_ml.scoring.decision_log.deciding_arms import deciding_arms
from spots_ml.scoring.decision_log.log import LogReport
from spots_ml.stores.embedded import database
from spots_ml.stores.embedded.decision_sql import COLUMNS
from spots_ml.stores.embedded.decisions import rows_of_decisions
from spots_ml.stores.embedded.interaction_rows import COLUMNS as INTERACTION_COLUMNS
from spots_ml.stores.embedded.interaction_rows import rows_of_interactions
from spots_ml.stores.embedded.schema import SCHEMA_VERSION, STEPS
from spots_ml.stores.embedded.store import embedded_store
from spots_ml.stores.moments import to_text
from spots_ml_tests.scoring.deciding import changed, decide
from spots_ml_tests.stores.behind import file_of
from spots_ml_tests.stores.keeping_decisions import EVER, decided, log, outcome, outcomes
from spots_ml_tests.stores.keeping_interactions import NOW, interaction, read, stream, take_in

ARMS = ["arm", "experiment", "stage", "share"]
UNSAID = [*ARMS, "trend_boost", "filter_on"]
"""What a program of before there were arms did not say of a decision."""
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def old_file(tmp_path):
    path = tmp_path / "store.sqlite"
    run(path, Path(__file__).with_name("version_1.sql").read_text() + "PRAGMA user_version = 1;")
    return path


def run(path, script):
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()


def log_without_arms(path, table, after=timedelta(0)):
    """Log decisions as a program did that knew no arms, some time after their moment."""
    names = [name for name in COLUMNS if name not in (*UNSAID, "claim")]
    places = [COLUMNS.index(name) + 1 for name in names]
    connection = sqlite3.connect(path)
    connection.executemany(
        f"INSERT INTO decisions (logged_at, {', '.join(names)}) VALUES (?, {', '.join('?' * len(names))})",
        [
            [logged(row, after), *(row[place] for place in places)]
            for batch in table.to_batches()
            for row in rows_of_decisions(batch, 0)
        ],
    )
    connection.commit()
    connection.close()


def take_in_as_then(path, rows):
    """Take interactions in as a program did that kept no log of outcomes."""
    connection = sqlite3.connect(path)
    names = INTERACTION_COLUMNS[:-1]
    for batch in stream(rows).batches:
        for _, *said, _ in rows_of_interactions(batch):
            labels = connection.execute("SELECT value FROM counters").fetchone()[0]
            label = labels + 1 if said[names.index("outcome_type")] else None
            connection.execute("UPDATE counters SET value = ?", (label or labels,))
            connection.execute(
                f"INSERT INTO interactions (source_kind, label_sequence, {', '.join(names)})"
                f" VALUES ('real', ?, {', '.join('?' * len(names))})",
                (label, *said),
            )
    connection.commit()
    connection.close()


def interactions_of(rows):
    return pa.Table.from_batches(list(stream(rows).batches))


def logged(row, after):
    """When a decision was logged."""
    return to_text(datetime.fromtimestamp(row[COLUMNS.index("decided_at") + 1] / 1e6, UTC) + after)


def contents(path):
    """Everything in a file: names of tables, indexes and triggers, all rows, and the schema version."""
    connection = sqlite3.connect(path)
    found = [*connection.iterdump(), *connection.execute("PRAGMA user_version")]
    connection.close()
    return found


def fresh_schema(path):
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall()
    connection.close()
    return found


def open_at_once(path, barrier):
    barrier.wait()
    embedded_store(path).interactions.label_watermark()


def test_a_file_of_version_1_keeps_all_it_held(old_file):
    store = embedded_store(old_file)

    assert contents(old_file)[-1] == (SCHEMA_VERSION,)
    assert store.interactions.label_watermark() == "3/4"
    assert store.interactions.count_labels_after("1/1") == 2
    rows = [interaction(number, labelled=number != 1) for number in range(4)]
    assert read(store)["opportunity_id"].to_pylist() == [row["opportunity_id"] for row in rows]
    report = take_in(store, rows)
    assert (report.n_unchanged, report.n_new, report.n_updated) == (4, 0, 0)
    assert [(one.version, one.status) for one in store.versions.list_versions()] == [
        ("v1.0-synthetic", "active"),
        ("v1.1-synthetic", "staging"),
    ]
    assert [one.traffic for one in store.versions.list_versions()] == [1.0, 0.0]
    assert [entry.action for entry in store.versions.history()] == ["registered", "registered", "promoted"]
    assert [entry.from_value for entry in store.versions.history()] == [None] * 3


def test_a_file_of_version_1_can_do_all_that_a_new_one_can(old_file, tmp_path):
    store = embedded_store(old_file)
    log(store, decided(0, 1))

    assert outcomes(store) == {"spot 0": [outcome(0)], "spot 1": [(None, None, None)]}
    at = np.array([NOW.replace(tzinfo=None)], "datetime64[us]")
    assert store.history.serve_history(["agent 2"], at).values[0, 3] == np.float32(0.01)
    new = embedded_store(tmp_path / "new.sqlite")
    assert fresh_schema(old_file) == fresh_schema(file_of(new))


def test_interactions_and_decisions_of_an_earlier_file_are_told_by_the_millisecond(old_file, monkeypatch):
    """Rows that say less than agent, opportunity and moment, or more than milliseconds, were told in another way."""
    exact = NOW.replace(microsecond=123_456) - timedelta(days=1)
    rows = [
        interaction(1, agent_id=None, outcome_type=None, outcome_score=None, outcome_at=None),
        interaction(0, scored_at=exact, outcome_at=exact),
        interaction(0, scored_at=exact + timedelta(microseconds=1), outcome_at=exact + timedelta(microseconds=1)),
    ]
    with monkeypatch.context() as earlier:
        earlier.setattr(database, "STEPS", database.STEPS[:4])
        earlier.setattr(database, "SCHEMA_VERSION", 4)
        embedded_store(old_file)
    take_in_as_then(old_file, rows[:2])
    log_without_arms(old_file, decide([interaction(0, scored_at=exact)], now=NOW))
    run(
        old_file,
        "DROP TRIGGER decisions_are_not_changed; UPDATE decisions SET identity = randomblob(16);"
        " CREATE TRIGGER decisions_are_not_changed BEFORE UPDATE ON decisions"
        " BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;"
        " UPDATE interactions SET identity = randomblob(16) WHERE row_sequence > 4;",
    )
    store = embedded_store(old_file)

    report = take_in(store, rows)
    assert (report.n_new, report.n_updated, report.n_unchanged, report.n_repeated) == (0, 1, 1, 1)
    assert outcomes(store)["spot 0"] == [("positive", 0.9, exact + timedelta(microseconds=1))]


@pytest.mark.parametrize("labelled", [0, 1, 2])
def test_of_twins_in_an_earlier_file_a_decision_finds_the_one_that_is_labelled(old_file, monkeypatch, labelled):
    """They were two interactions then, told by the microsecond."""
    moment = interaction(0)["scored_at"].replace(microsecond=123_000)
    moments = [moment + timedelta(microseconds=us) for us in (456, 0, 789)]
    rows = [interaction(0, labelled=place == labelled, scored_at=at) for place, at in enumerate(moments)]
    with monkeypatch.context() as earlier:
        earlier.setattr(database, "STEPS", database.STEPS[:4])
        earlier.setattr(database, "SCHEMA_VERSION", 4)
        earlier.setattr("spots_ml.stores.embedded.interaction_rows.identity_of", told_by_the_microsecond)
        embedded_store(old_file)
        take_in_as_then(old_file, rows)
        log_without_arms(old_file, decide([rows[labelled]], now=NOW))
    store = embedded_store(old_file)
    told = interactions_of([interaction(number, labelled=number != 1) for number in range(4)] + rows)

    assert outcomes(store)["spot 0"] == [outcome(0)]
    assert store.interactions.label_watermark() == "4/7"
    assert read(store).drop_columns("position").equals(told.drop_columns("position"))
    report = take_in(store, rows)
    assert (report.n_new, report.n_new_labels) == (0, 0)


def told_by_the_microsecond(*said):
    return hashlib.sha256(repr(said[:3]).encode()).digest()[:16]


@pytest.fixture
def file_without_arms(tmp_path):
    """A file of version 2 with two decisions, logged by the program of that time."""
    path = tmp_path / "store.sqlite"
    run(path, "".join(STEPS[:2]) + "PRAGMA user_version = 2;")
    log_without_arms(path, decided(0, 1))
    return path


def test_decisions_of_before_there_were_arms_are_read_as_they_are(file_without_arms):
    store, table = embedded_store(file_without_arms), decided(0, 1)

    read = store.decisions.read_decisions(*EVER)
    assert read.select(table.drop_columns(UNSAID).column_names).equals(table.drop_columns(UNSAID))
    assert [[row[name] for name in UNSAID] for row in read.to_pylist()] == [[None] * 6] * 2
    assert deciding_arms(read).to_pylist() == table["arm"].to_pylist()


def test_decisions_of_before_there_were_arms_may_be_logged_again_and_stay_as_they_are(file_without_arms):
    store, table = embedded_store(file_without_arms), decided(0, 1, 2)

    assert log(store, table) == LogReport(n_new=1, n_known=2)
    ids = table["decision_id"].to_pylist()
    assert log(store, changed(table, "score", 1, 0.125)).others == (ids[1],)
    assert log(store, changed(table, "arm", 2, "another")).others == (ids[2],)
    assert store.decisions.read_decisions(*EVER)["arm"].null_count == 2


def test_what_an_earlier_file_claims_is_decided_anew_by_what_is_known(tmp_path):
    path = tmp_path / "store.sqlite"
    run(path, "".join(STEPS[:2]) + "PRAGMA user_version = 2;")
    moment = interaction(0)["scored_at"]
    for version, registered in (("v1.0-real", moment), ("v1.1-real", moment + timedelta(days=1))):
        run(
            path,
            "INSERT INTO model_versions (model_type, version, content_digest, status, weight, created_at, updated_at,"
            f" last_registered_at, content) VALUES ('calling_score', '{version}', '{version}', 'staging', 0.1,"
            f" '{to_text(registered)}', '', '', '')",
        )
    table = pa.concat_tables([decided(*range(6)), decided(6, origin="replayed")])
    for row, version in ((0, "v1.0-real"), (1, "v1.1-real"), (2, "v9.9-real")):
        table = changed(table, "version", row, version)
    late = changed(decided(5), "version", 0, "v1.0-real")
    again = changed(changed(decided(0), "decision_id", 0, "f" * 32), "version", 0, "v1.0-real")
    log_without_arms(path, pa.concat_tables([table.slice(0, 5), table.slice(6)]))
    log_without_arms(path, late, after=timedelta(minutes=16))
    log_without_arms(path, again, after=timedelta(minutes=14))
    store = embedded_store(path)

    told = {
        (row["opportunity_id"], row["decision_id"] == "f" * 32): (row["origin"], row["claim"], row["propensity"])
        for row in store.decisions.read_decisions(*EVER).to_pylist()
    }
    assert told == {
        ("spot 0", False): ("served", "at_its_moment", 1.0),
        ("spot 0", True): ("replayed", "already_served", None),
        ("spot 1", False): ("replayed", "not_in_service", None),
        ("spot 2", False): ("replayed", "not_in_service", None),
        ("spot 3", False): ("served", "at_its_moment", 1.0),
        ("spot 4", False): ("served", "at_its_moment", 1.0),
        ("spot 5", False): ("replayed", "another_moment", None),
        ("spot 6", False): ("replayed", "scored_again", None),
    }


def test_the_step_that_added_arms_is_what_it_always_was():
    assert STEPS[5] == (
        "ALTER TABLE decisions ADD COLUMN arm TEXT CHECK (arm <> '');\n"
        "ALTER TABLE decisions ADD COLUMN experiment TEXT CHECK (experiment <> '');\n"
        "ALTER TABLE decisions ADD COLUMN stage INTEGER CHECK (stage BETWEEN 1 AND 1000);\n"
        "ALTER TABLE decisions ADD COLUMN share REAL CHECK (share BETWEEN 0 AND 1);"
    )


def test_opening_a_file_again_changes_nothing(old_file):
    embedded_store(old_file)
    before = contents(old_file)
    embedded_store(old_file)

    assert contents(old_file) == before


def test_several_processes_may_bring_a_file_up_to_date_at_once(old_file):
    barrier = FORK.Barrier(6)
    processes = [FORK.Process(target=open_at_once, args=(old_file, barrier)) for _ in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0] * 6
    assert embedded_store(old_file).interactions.label_watermark() == "3/4"


def test_a_step_that_fails_leaves_the_file_as_it_was(old_file, monkeypatch):
    before = contents(old_file)
    *others, last = database.STEPS
    monkeypatch.setattr(database, "STEPS", (*others, f"{last} CREATE TABLE decisions (again);"))

    with pytest.raises(sqlite3.OperationalError, match="already exists"):  # a mistake of ours, told as it is
        embedded_store(old_file)
    assert contents(old_file) == before


@pytest.mark.parametrize("version", [-1, SCHEMA_VERSION + 1])
def test_a_file_of_a_later_program_is_refused_and_left_alone(old_file, version):
    run(old_file, f"PRAGMA user_version = {version}")
    before = contents(old_file)

    with pytest.raises(ArtifactError, match=f"schema version {version}, this program expects at most {SCHEMA_VERSION}"):
        embedded_store(old_file)
    assert contents(old_file) == before


def test_performance_that_cannot_be_read_is_one_clear_error(embedded):
    run(file_of(embedded), "INSERT INTO performance VALUES ('2026-11-01', 'formula', 'served', '', '{\"day\": 7}')")

    with pytest.raises(ArtifactError, match="measure these days again"):
        embedded.performance.read_performance(datetime(2026, 1, 1, tzinfo=UTC).date(), NOW.date())


def test_history_is_read_through_the_index_on_agents(embedded):
    from spots_ml.stores.embedded import history as embedded_history

    connection = sqlite3.connect(file_of(embedded))
    plan = connection.execute(
        f"EXPLAIN QUERY PLAN {embedded_history._READ}", {"labels": 1, "agent": "a", "rows": 1}
    ).fetchall()
    connection.close()

    assert [step[3] for step in plan] == [
        "SEARCH known USING INDEX interactions_by_agent (agent_id=?)",
        "SEARCH told USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN",
        "CORRELATED SCALAR SUBQUERY 1",
        "SEARCH outcomes USING COVERING INDEX outcomes_by_interaction (row_sequence=? AND sequence<?)",
    ]
