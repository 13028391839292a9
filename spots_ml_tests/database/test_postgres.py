"""The server that these tests start."""

import tempfile
from pathlib import Path

import psycopg
import pytest

from spots_ml_tests.database import postgres
from spots_ml_tests.database.postgres import ADMIN, PostgresMissingError, find_binaries, running


def test_a_missing_server_is_a_failure_that_says_what_to_install():
    with pytest.raises(
        PostgresMissingError, match=r"need PostgreSQL 9, found: .*Debian's `postgresql`.*SPOTS_ML_PG_BIN"
    ):
        find_binaries(9)


def test_without_any_server_the_failure_says_so(monkeypatch):
    monkeypatch.setattr(postgres, "_folders", lambda: iter(()))

    with pytest.raises(PostgresMissingError, match="need PostgreSQL 15 or later, found: none"):
        find_binaries()


def test_the_server_is_the_version_that_was_asked_for(server):
    with server.connect("postgres", ADMIN) as connection:
        assert connection.info.server_version // 10_000 == server.major


def test_the_owner_of_the_tables_is_no_superuser(server):
    with server.connect("postgres") as connection:
        assert connection.execute("select usesuper from pg_user where usename = current_user").fetchone() == (False,)


def test_a_port_that_is_taken_is_not_the_end(monkeypatch, server):
    ports = iter([server.port])
    free_port = postgres._free_port
    monkeypatch.setattr(postgres, "_free_port", lambda: next(ports, None) or free_port())

    with running(server.major) as another:
        assert another.port != server.port


def test_a_stopped_server_leaves_nothing_behind(monkeypatch, server):
    made, make_folder = [], tempfile.mkdtemp
    monkeypatch.setattr(tempfile, "mkdtemp", lambda prefix: made.append(make_folder(prefix=prefix)) or made[-1])
    with running(server.major) as another:
        assert (Path(made[0]) / "data").is_dir()

    assert not Path(made[0]).exists()
    with pytest.raises(psycopg.OperationalError):
        another.connect("postgres")
