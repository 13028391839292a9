"""A whole project: what it is like after a start, a restart and a kill."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import psycopg
import pytest
from dotenv import dotenv_values

from spots_ml.errors import BusyError
from spots_ml.local_supabase import stack
from spots_ml.local_supabase.api import api_running
from spots_ml.local_supabase.errors import LocalStackError
from spots_ml.local_supabase.postgres import ADMIN
from spots_ml.local_supabase.stack import project_running
from spots_ml.places import LOCAL_PROJECT_ENV
from spots_ml.stores.supabase.migrations.account import apply_migrations, migration_files

KILLED = """
import sys, time
from spots_ml.local_supabase.stack import project_running
with project_running() as project:
    print(project.dsn, project.url, flush=True)
    time.sleep(60)
"""


def answer(project, path, key, content=None):
    """Ask the API; the status and what it says."""
    headers = {"apikey": key, "Content-Type": "application/octet-stream"}
    request = urllib.request.Request(f"{project.url}/{path}", content, headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def assert_nothing_is_open_to_those_who_are_not_signed_in(project):
    status, told = answer(project, "rest/v1/model_versions", project.keys.publishable)
    assert (status, b'"42501"' in told) == (401, True), told


GRANTS = """
select 'relation', relname, relacl::text from pg_class
where relnamespace in ('public'::regnamespace, 'private'::regnamespace)
union all
select 'function', oid::regprocedure::text, proacl::text from pg_proc
where pronamespace in ('public'::regnamespace, 'private'::regnamespace)
union all
select 'schema', nspname, nspacl::text from pg_namespace where nspname in ('public', 'private')
union all
select 'later', defaclrole::regrole::text, defaclacl::text from pg_default_acl
order by 1, 2
"""


def grants(server, database):
    with server.connect(database) as connection:
        return connection.execute(GRANTS).fetchall()


def keep_a_row(project):
    with psycopg.connect(project.owner_dsn) as connection:
        connection.execute("insert into public.incoming_rows values (gen_random_uuid(), 0, '{}')")


def count_rows(project):
    with psycopg.connect(project.owner_dsn) as connection:
        return connection.execute("select count(*) from public.incoming_rows").fetchone()[0]


def test_a_project_that_was_stopped_goes_on_with_its_rows_files_and_keys(open_folder):
    with project_running(folder=open_folder) as project:
        first = project.keys
        keep_a_row(project)
        assert answer(project, "storage/v1/object/models/a.onnx", first.secret, b"file")[0] == 200
        assert_nothing_is_open_to_those_who_are_not_signed_in(project)

    with project_running(folder=open_folder) as project:
        assert project.keys == first
        assert count_rows(project) == 1
        assert answer(project, "storage/v1/object/models/a.onnx", first.secret) == (200, b"file")
        assert_nothing_is_open_to_those_who_are_not_signed_in(project)


def test_an_api_that_dies_is_started_again_on_its_port_and_gives_nothing_away(monkeypatch):
    started = []

    @contextlib.contextmanager
    def noted(*arguments, **options):
        with api_running(*arguments, **options) as process:
            started.append(process)
            yield process

    monkeypatch.setattr(stack, "api_running", noted)
    with project_running() as project:
        for number in (1, 2):
            supervisor = started[-1]
            found = subprocess.run(["pgrep", "-P", str(supervisor.pid)], capture_output=True, text=True, check=True)
            os.kill(int(found.stdout), signal.SIGKILL)
            supervisor.wait(20)
            assert started_again(started, number + 1)
            assert answers_again(project)
            assert_nothing_is_open_to_those_who_are_not_signed_in(project)


def test_a_connection_that_postgres_ends_is_no_end_of_the_project():
    with project_running() as project:
        with project.server.connect(project.database, ADMIN, autocommit=True) as admin:
            assert admin.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            ).fetchall()
        assert answers_again(project)


def started_again(started, count):
    """Wait until that many were started: what the dead one was asked last may still be answered before."""
    deadline = time.monotonic() + 60
    while len(started) < count and time.monotonic() < deadline:
        time.sleep(0.1)
    return len(started) == count


def answers_again(project):
    """Wait until it is there with the rights restored; those who are not signed in are let in for no longer."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if answer(project, "rest/v1/model_versions", project.keys.publishable)[0] == 401:
                return answer(project, "rest/v1/model_versions", project.keys.secret)[0] == 200
        except OSError:
            pass
        time.sleep(0.1)
    return False


def test_the_api_leaves_the_rights_as_the_migrations_made_them():
    with project_running() as project:
        project.server.create_project("untouched")
        apply_migrations(project.server.url("untouched"))

        assert grants(project.server, project.database) == grants(project.server, "untouched")


def test_grants_are_right_again_after_a_start_that_was_cut_off_in_the_middle(open_folder, monkeypatch):
    def cut_off(server, *files):
        if "restore_grants.sql" in files and (open_folder / "api" / "api.log").exists():
            raise KeyboardInterrupt
        run(server, *files)

    run = stack._run
    monkeypatch.setattr(stack, "_run", cut_off)
    with pytest.raises(KeyboardInterrupt), project_running(folder=open_folder):
        pass
    monkeypatch.undo()

    with project_running(folder=open_folder) as project:
        assert_nothing_is_open_to_those_who_are_not_signed_in(project)


def test_while_a_kept_project_runs_its_folder_tells_its_owner_how_to_reach_it(open_folder):
    file = open_folder / LOCAL_PROJECT_ENV.name
    with project_running(folder=open_folder) as project:
        assert dotenv_values(file) == project.environment()
        assert file.stat().st_mode & 0o777 == 0o600
        assert project.keys.secret not in repr(project)
        with pytest.raises(BusyError, match="another process holds"), project_running(folder=open_folder):
            pass

    assert not file.exists()


def test_data_from_other_migrations_are_refused_with_the_way_out(open_folder):
    with project_running(folder=open_folder) as project, psycopg.connect(project.owner_dsn) as connection:
        connection.execute(
            "update supabase_migrations.schema_migrations set statements = '{select 1}' where name = 'performance'"
        )

    changed = next(file.name for file in migration_files() if "performance" in file.name)
    with (
        pytest.raises(LocalStackError, match=rf"the data in {open_folder} .*\({changed}\); remove that folder"),
        project_running(folder=open_folder),
    ):
        pass


def test_a_killed_process_leaves_no_server_and_no_folder(open_folder):
    command = [sys.executable, "-c", KILLED]
    with subprocess.Popen(
        command, env={**os.environ, "TMPDIR": str(open_folder)}, stdout=subprocess.PIPE, text=True
    ) as parent:
        dsn, url = parent.stdout.readline().split()
        assert sorted(path.name[: -len("_12345678")] for path in open_folder.iterdir()) == [
            "spots_ml_api",
            "spots_ml_postgres",
        ]
        parent.kill()

    deadline = time.monotonic() + 20
    while list(open_folder.iterdir()):
        assert time.monotonic() < deadline, list(open_folder.iterdir())
        time.sleep(0.05)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn, connect_timeout=2)
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url, timeout=2)
