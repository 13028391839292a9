import contextlib
import logging
import sqlite3

import pytest

from spots_ml.errors import BusyError
from spots_ml.stores.embedded import database
from spots_ml_tests.registry.building import hours, make_candidate
from spots_ml_tests.stores.behind import file_of


@contextlib.contextmanager
def written_by_another(path):
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    finally:
        connection.close()


class OnWord(logging.Handler):
    def __init__(self, action):
        super().__init__()
        self.action = action
        self.words = []

    def emit(self, record):
        self.words.append(record.getMessage())
        self.action()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(database, "_SILENT_S", 0.01)


def register(store):
    return store.versions.register(make_candidate("a", "v1.0-synthetic"), now=hours(0), actor="a test")


@pytest.mark.usefixtures("impatient")
def test_who_waits_for_another_writer_says_so_and_goes_on(embedded):
    with written_by_another(file_of(embedded)) as other:
        heard = OnWord(lambda: other.execute("ROLLBACK"))
        database._LOG.addHandler(heard)
        try:
            assert register(embedded).created
        finally:
            database._LOG.removeHandler(heard)

    assert heard.words == [f"waiting for {file_of(embedded)}: another process is writing to it"]


@pytest.mark.usefixtures("impatient")
def test_who_waits_too_long_is_told_what_to_do(embedded, monkeypatch):
    monkeypatch.setattr(database, "_BUSY_TIMEOUT_S", 0.02)
    with written_by_another(file_of(embedded)), pytest.raises(BusyError, match="wait until it is done"):
        register(embedded)

    assert register(embedded).created
