"""What the embedded decision log promises beyond the contract: many processes, sudden death, and its own triggers."""

import multiprocessing
import os
import signal
import sqlite3
import time

import pytest

from spots_ml.errors import InputError
from spots_ml.scoring.decision_log.fields import FIELDS
from spots_ml.scoring.decision_log.log import LogReport
from spots_ml.stores.embedded import decision_sql
from spots_ml.stores.embedded import decisions as embedded_decisions
from spots_ml.stores.embedded.decision_sql import COLUMNS, sqlite_type
from spots_ml.stores.embedded.decisions import rows_of_decisions
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.scoring.deciding import changed
from spots_ml_tests.stores.behind import file_of
from spots_ml_tests.stores.keeping_decisions import EVER, decided, log, outcomes
from spots_ml_tests.stores.keeping_interactions import interaction, take_in

FORK = multiprocessing.get_context("fork")
N_ROWS = 2000
TABLE = "PRAGMA table_info (decisions)"


def log_many(path, barrier=None):
    table = decided(*range(N_ROWS))
    store = embedded_store(path)
    if barrier is not None:
        barrier.wait()
    return log(store, table)


def log_own_and_shared(path, barrier, number):
    barrier.wait()
    for start in range(0, 100, 10):
        log(
            embedded_store(path), decided(*range(start, start + 10), *range(1000 * number + start, 1000 * number + 205))
        )


def test_several_processes_logging_the_same_at_once_log_it_once(embedded):
    barrier = FORK.Barrier(4)
    processes = [FORK.Process(target=log_many, args=(file_of(embedded), barrier)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0] * 4
    assert embedded.decisions.read_decisions(*EVER).num_rows == N_ROWS
    assert log_many(file_of(embedded)) == LogReport(n_new=0, n_known=N_ROWS)


def test_several_processes_logging_their_own_lose_none(embedded):
    barrier = FORK.Barrier(4)
    processes = [FORK.Process(target=log_own_and_shared, args=(file_of(embedded), barrier, n)) for n in range(1, 5)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0] * 4
    assert embedded.decisions.read_decisions(*EVER).num_rows == 100 + 4 * 205


@pytest.mark.parametrize("delay_s", [0.02, 0.05, 0.08, 0.12, 0.16])
def test_killed_while_logging_the_log_has_all_of_it_or_nothing(embedded, delay_s):
    process = FORK.Process(target=log_many, args=(file_of(embedded),))
    process.start()
    time.sleep(delay_s)
    os.kill(process.pid, signal.SIGKILL)
    process.join()

    assert embedded.decisions.read_decisions(*EVER).num_rows in (0, N_ROWS)
    report = log_many(file_of(embedded))
    assert report.n_new + report.n_known == N_ROWS
    assert embedded.decisions.read_decisions(*EVER).num_rows == N_ROWS


def test_the_table_has_the_columns_of_the_declared_fields(embedded):
    connection = sqlite3.connect(file_of(embedded))
    found = {name: (type_, bool(known)) for _, name, type_, known, *_ in connection.execute(TABLE)}
    connection.close()

    assert found.pop("logged_at") == ("TEXT", True)
    assert found.pop("identity") == ("BLOB", True)
    assert found.pop("history") == ("BLOB", True)
    assert found == {
        field.sql_name: (sqlite_type(field), not field.nullable) for field in FIELDS if field.packing != "history"
    }


@pytest.mark.parametrize(
    ("name", "value"), [("arm", ""), ("experiment", ""), ("stage", 0), ("share", 1.5), ("share", -0.5)]
)
def test_the_table_keeps_the_rules_of_the_fields_that_were_added(embedded, name, value):
    table = changed(decided(0), name, 0, value)
    (row,) = rows_of_decisions(table.to_batches()[0], 0)
    names, places = ", ".join(COLUMNS), ", ".join("?" * len(COLUMNS))

    connection = sqlite3.connect(file_of(embedded))
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        connection.execute(f"INSERT INTO decisions (logged_at, {names}) VALUES ('now', {places})", row[1:])
    connection.close()


@pytest.mark.parametrize("statement", ["UPDATE decisions SET score = 0.5", "DELETE FROM decisions"])
def test_the_database_itself_refuses_to_change_the_log(embedded, statement):
    log(embedded, decided(0))

    connection = sqlite3.connect(file_of(embedded))
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)
    connection.close()


def test_the_size_of_batches_changes_nothing(embedded, monkeypatch):
    take_in(embedded, [interaction(number) for number in range(0, 100, 3)])
    log(embedded, decided(*range(100)))
    whole = embedded.decisions.read_decisions(*EVER)

    monkeypatch.setattr(embedded_decisions, "_BATCH_ROWS", 7)
    other = embedded_store(file_of(embedded).with_name("other.sqlite"))
    take_in(other, [interaction(number) for number in range(0, 100, 3)])
    assert log(other, decided(*range(100))) == LogReport(n_new=100, n_known=0)
    assert embedded.decisions.read_decisions(*EVER).equals(whole)
    assert other.decisions.read_decisions(*EVER).equals(whole)
    assert sum(found[0][0] is not None for found in outcomes(other).values()) == 34
    table = decided(*range(100))
    assert log(other, changed(table, "score", 99, 0.0)).others == (table["decision_id"][99].as_py(),)


def test_a_log_whose_index_and_table_disagree_is_one_clear_error(embedded, monkeypatch):
    log(embedded, decided(0, 1))
    monkeypatch.setattr(decision_sql, "COUNT", decision_sql.COUNT.replace("count(*)", "count(*) + 1"))

    with pytest.raises(InputError, match="gave 2 of 3 decisions"):
        embedded.decisions.read_decisions(*EVER)


@pytest.mark.parametrize("query", [decision_sql.read_statement(decision_sql.TOLD), decision_sql.COUNT])
def test_a_period_is_found_through_the_index(embedded, query):
    connection = sqlite3.connect(file_of(embedded))
    plan = connection.execute(f"EXPLAIN QUERY PLAN {query}", {"since": 0, "until": 1}).fetchall()
    connection.close()

    steps = [step[3] for step in plan]
    assert "INDEX decisions_by_time (decided_at>? AND decided_at<?)" in steps[0]
    assert not any("SCAN" in step or "TEMP B-TREE" in step for step in steps)
