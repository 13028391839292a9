"""The server that these tests start."""

import os
import tempfile
from pathlib import Path

import psycopg
import pytest

from spots_ml.local_supabase import postgres
from spots_ml.local_supabase.errors import LocalStackError
from spots_ml.local_supabase.installed_postgres import NEWEST_MAJOR, OLDEST_MAJOR
from spots_ml.local_supabase.postgres import ADMIN, running


def test_the_server_is_the_version_that_was_asked_for(server):
    with server.connect("postgres", ADMIN) as connection:
        assert connection.info.server_version // 10_000 == server.major


def test_the_owner_of_the_tables_is_no_superuser(server):
    with server.connect("postgres") as connection:
        assert connection.execute("select usesuper from pg_user where usename = current_user").fetchone() == (False,)


def test_a_port_that_is_taken_is_not_the_end(monkeypatch, server):
    ports = iter([server.port])
    free_port = postgres.free_port
    monkeypatch.setattr(postgres, "free_port", lambda: next(ports, None) or free_port())

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


def test_data_that_were_kept_are_served_by_the_version_that_made_them(open_folder):
    with running(NEWEST_MAJOR, folder=open_folder) as server, server.connect("postgres", ADMIN) as connection:
        connection.execute("create table kept as select 42 as answer")

    with running(OLDEST_MAJOR, folder=open_folder) as server, server.connect("postgres", ADMIN) as connection:
        assert server.major == NEWEST_MAJOR
        assert connection.execute("select answer from kept").fetchone() == (42,)


def test_data_that_were_left_half_made_are_made_anew(open_folder):
    (open_folder / "data.new").mkdir()
    (open_folder / "data.new" / "PG_VERSION").write_text("15")

    with running(folder=open_folder) as server:
        server.create_project("project")
        server.create_project("project")


def test_a_wanted_port_that_is_taken_is_said_with_the_option_that_chooses_another(open_folder, server):
    with (
        pytest.raises(LocalStackError, match=f"port {server.port} is taken.* choose another port with --database-port"),
        running(folder=open_folder, port=server.port),
    ):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has another user run Postgres")
def test_a_folder_that_is_closed_to_others_is_said_when_root_starts_it(open_folder):
    open_folder.chmod(0o700)

    with (
        pytest.raises(LocalStackError, match=f"{open_folder} is closed to other users.* chmod o"),
        running(folder=open_folder / "inside"),
    ):
        pass
