"""Pushing by the Supabase CLI and directly: one account, so that either goes on where the other stopped.

The same tests run over the CLI itself and over a stand-in, which takes what the CLI takes, does what it does, and
writes down what it was given.
"""

import json
import shutil
import sys
from pathlib import Path

import pytest

from spots_ml.stores.supabase.migrations.account import (
    MigrationError,
    apply_migrations,
    migration_files,
    read_migrations,
)
from spots_ml.stores.supabase.migrations.push import find_cli, push_migrations

STAND_IN = """\
#!{python}
import json, os, shutil, sys
from pathlib import Path
from spots_ml.stores.supabase.migrations.account import MigrationError, apply_migrations
from spots_ml.stores.supabase.migrations.account import migration_files, read_migrations
if "--help" in sys.argv:
    print("  {flag}[=<url>]")
    sys.exit()
folder = Path("supabase", "migrations").absolute()
names = [file.name for file in migration_files(folder)]
Path({record!r}).write_text(json.dumps({{"arguments": sys.argv[1:], "environment": dict(os.environ), "files": names}}))
if {idle}:
    sys.exit()
url = sys.argv[-1].partition("=")[2]
if any(one.state == "unknown" for one in read_migrations(url, folder)):
    sys.exit("Remote migration versions not found in local migrations directory.")
so_far = Path("so_far").absolute()
so_far.mkdir()
try:
    for file in migration_files(folder):
        print(f"Applying migration {{file.name}}...", file=sys.stderr)
        shutil.copy(file, so_far)
        apply_migrations(url, so_far)
except MigrationError as error:
    sys.exit(f"ERROR: {{error.__cause__}}\\nTry rerunning the command with --debug to troubleshoot the error.")
"""


class StandIn:
    def __init__(self, folder: Path, *, flag: str = "--remote", idle: bool = False):
        self.record = folder / "record.json"
        self.path = folder / "supabase"
        self.path.write_text(STAND_IN.format(python=sys.executable, flag=flag, idle=idle, record=str(self.record)))
        self.path.chmod(0o755)

    def given(self):
        return json.loads(self.record.read_text())


@pytest.fixture
def stand_in(tmp_path):
    return StandIn(tmp_path)


@pytest.fixture(params=["stand-in", "real"])
def cli(request, tmp_path):
    return StandIn(tmp_path).path if request.param == "stand-in" else request.getfixturevalue("supabase_cli")


@pytest.fixture
def first_half(tmp_path):
    """The first of our migrations alone."""
    folder = tmp_path / "half" / "migrations"
    folder.mkdir(parents=True)
    for file in migration_files()[:3]:
        shutil.copy(file, folder)
    return folder


def states(project):
    return {one.state for one in read_migrations(project.url)}


def test_the_cli_goes_on_where_the_direct_way_stopped(empty_project, first_half, cli):
    done = apply_migrations(empty_project.url, first_half)
    pushed = push_migrations(empty_project.url, cli=cli)

    assert [*done, *pushed] == [file.name for file in migration_files()]
    assert states(empty_project) == {"applied"}


def test_the_direct_way_goes_on_where_the_cli_stopped(empty_project, first_half, cli):
    done = push_migrations(empty_project.url, first_half, cli=cli)
    pushed = push_migrations(empty_project.url)

    assert [*done, *pushed] == [file.name for file in migration_files()]
    assert states(empty_project) == {"applied"}
    assert push_migrations(empty_project.url, cli=cli) == []


def test_migrations_of_the_app_are_left_alone(empty_project, tmp_path, cli):
    app = tmp_path / "app"
    app.mkdir()
    (app / "20250101000000_app.sql").write_text("create table public.app_settings (id int);")
    (app / "20991231000000_later.sql").write_text("create table public.app_later (id int);")
    apply_migrations(empty_project.url, app)
    push_migrations(empty_project.url, cli=cli)

    assert states(empty_project) == {"applied", "unknown"}


def test_a_refusal_names_the_file_and_says_postgres_words(empty_project, tmp_path, cli):
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "20260101000000_one.sql").write_text("create table public.one (id int);")
    (folder / "20260101000001_two.sql").write_text("create table public.two (id int); select 1 / 0;")

    with pytest.raises(MigrationError, match=r"20260101000001_two\.sql was not applied.*division by zero") as caught:
        push_migrations(empty_project.url, folder, cli=cli)
    assert "Try rerunning" not in str(caught.value)
    assert [one.state for one in read_migrations(empty_project.url, folder)] == ["applied", "pending"]


def test_a_file_that_was_changed_since_stops_the_push(empty_project, first_half, cli):
    apply_migrations(empty_project.url, first_half)
    changed = sorted(first_half.iterdir())[1]
    changed.write_text(changed.read_text() + "select 1;")
    (first_half / "20991231000000_new.sql").write_text("select 1;")

    with pytest.raises(MigrationError, match=rf"changed since they were applied: {changed.name}; nothing was applied"):
        push_migrations(empty_project.url, first_half, cli=cli)


def test_the_password_and_our_settings_are_in_no_argument(empty_project, stand_in, monkeypatch):
    monkeypatch.setenv("SPOTS_ML_SUPABASE_KEY", "sb_secret_1")
    url = empty_project.url.replace("postgres@", "postgres:to%20p-secret@")
    push_migrations(url, cli=stand_in.path)

    given = stand_in.given()
    assert given["arguments"][:-1] == ["db", "push", "--include-all", "--yes"]
    assert given["arguments"][-1].startswith(f"--remote=postgresql://postgres@127.0.0.1:{empty_project.server.port}/")
    assert given["environment"]["PGPASSWORD"] == "to p-secret"
    assert given["environment"]["SUPABASE_TELEMETRY_DISABLED"] == "1"
    assert [name for name in given["environment"] if name.startswith("SPOTS_ML_")] == []
    assert given["files"] == [file.name for file in migration_files()]


def test_an_older_cli_is_asked_in_its_own_words(empty_project, tmp_path):
    older = StandIn(tmp_path, flag="--db-url")
    push_migrations(empty_project.url, cli=older.path)

    assert older.given()["arguments"][-1].startswith("--db-url=postgresql://")
    assert states(empty_project) == {"applied"}


def test_a_cli_that_ends_well_without_having_done_it_is_found_out(empty_project, tmp_path):
    idle = StandIn(tmp_path, idle=True)

    with pytest.raises(MigrationError, match="ended well, but the project has not got"):
        push_migrations(empty_project.url, cli=idle.path)


def test_a_cli_that_does_not_run_is_told(empty_project, tmp_path):
    broken = tmp_path / "supabase"
    broken.write_text("no program")
    broken.chmod(0o755)

    with pytest.raises(MigrationError, match="does not run"):
        push_migrations(empty_project.url, cli=broken)


def test_the_cli_is_found_on_the_path_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_cli() is None
    StandIn(tmp_path)
    assert find_cli() == tmp_path / "supabase"
