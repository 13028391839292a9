"""`spots-ml db push` and `db status`, on a Postgres of their own."""

import json
from itertools import count

import pytest
from click.testing import CliRunner

from spots_ml.cli import main
from spots_ml.stores.supabase.migrations.account import migration_files
from spots_ml_tests.database.clock import with_its_own_clock, without_clock

NUMBERS = count()


@pytest.fixture
def dsn(server):
    """A project before its first migration."""
    name = f"pushed_{next(NUMBERS)}"
    server.create_project(name)
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture
def spots_ml(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    def run(*arguments, answer=None, **variables):
        environment = {f"SPOTS_ML_{name.upper()}": value for name, value in variables.items()}
        return CliRunner().invoke(main, ["db", *arguments], env=environment, input=answer)

    return run


def files():
    return [file.name for file in migration_files()]


def test_push_shows_what_it_will_do_and_asks_first(spots_ml, dsn):
    asked = spots_ml("push", supabase_dsn=dsn, answer="n\n")
    assert asked.exit_code == 1
    assert all(name in asked.stdout for name in files())
    assert "Apply them?" in asked.stdout
    assert {one["state"] for one in status(spots_ml, dsn)["migrations"]} == {"pending"}

    assert f"{len(files())} applied" in spots_ml("push", supabase_dsn=dsn, answer="y\n").stdout
    assert spots_ml("push", supabase_dsn=dsn).stdout == "nothing to apply: the project has every migration\n"


def status(spots_ml, dsn, exit_code=1):
    result = spots_ml("status", "--json", supabase_dsn=dsn)
    assert result.exit_code == exit_code, result.output
    return json.loads(result.stdout)


def test_status_is_1_until_everything_is_applied(spots_ml, dsn):
    assert status(spots_ml, dsn)["project"] is None
    spots_ml("push", "--yes", supabase_dsn=dsn)

    done = status(spots_ml, dsn, exit_code=0)["migrations"]
    assert [f"{one['version']}_{one['name']}.sql" for one in done] == files()
    assert {one["state"] for one in done} == {"applied"}
    assert "shared_rules" in spots_ml("status", supabase_dsn=dsn).stdout


def test_what_is_in_the_way_is_listed_and_nothing_is_applied(spots_ml, dsn, server):
    with server.connect(dsn.rpartition("/")[2], autocommit=True) as connection:
        connection.execute("create schema private; create table public.performance (id int)")
    pushed = spots_ml("push", "--yes", supabase_dsn=dsn)

    assert pushed.exit_code == 1
    assert "nothing was applied, because 2 things are in the way" in pushed.stderr
    assert {one["state"] for one in status(spots_ml, dsn)["migrations"]} == {"pending"}


def test_the_supabase_cli_is_used_when_it_is_asked_for_alone(spots_ml, dsn):
    missing = spots_ml("push", "--yes", "--by-cli", supabase_dsn=dsn)
    assert (missing.exit_code, "not on the PATH" in missing.stderr) == (2, True)


def test_status_names_what_lets_others_in_and_exits_with_1(spots_ml, dsn, server):
    spots_ml("push", "--yes", supabase_dsn=dsn)
    assert status(spots_ml, dsn, exit_code=0)["access"] == []
    with server.connect(dsn.rpartition("/")[2], autocommit=True) as connection:
        connection.execute('create policy "fix" on public.decisions using (true)')
        connection.execute("grant select on public.decisions to authenticated")

    assert len(status(spots_ml, dsn)["access"]) == 2
    told = spots_ml("status", supabase_dsn=dsn).stdout
    assert "ACCESS IS NOT AS THE MIGRATIONS LEFT IT, in 2 points" in told
    assert 'public.decisions has the policy "fix"' in told


@pytest.mark.parametrize(("user", "may_write"), [("postgres", True), ("reading_clerk", False)])
def test_status_says_whether_the_dsn_may_do_more_than_read(spots_ml, dsn, server, user, may_write):
    spots_ml("push", "--yes", supabase_dsn=dsn)
    with server.connect("postgres", autocommit=True) as connection:
        connection.execute("create role reading_clerk login in role spots_ml_reader")
        try:
            told = dsn.replace("postgres@", f"{user}@")
            assert status(spots_ml, told, exit_code=0)["role"] == {"name": user, "may_write": may_write}
            assert ("which may write" in spots_ml("status", supabase_dsn=told).stdout) is may_write
        finally:
            connection.execute("drop role reading_clerk")


def test_migrations_of_others_are_told_and_left(spots_ml, dsn, server):
    spots_ml("push", "--yes", supabase_dsn=dsn)
    with server.connect(dsn.rpartition("/")[2], autocommit=True) as connection:
        connection.execute("insert into supabase_migrations.schema_migrations values ('20250101000000', null, 'app')")

    assert status(spots_ml, dsn, exit_code=0)["migrations"][0]["state"] == "unknown"
    assert "20250101000000_app.sql" in spots_ml("push", supabase_dsn=dsn).stderr


def test_what_was_changed_since_is_not_pushed_over(spots_ml, dsn, server):
    spots_ml("push", "--yes", supabase_dsn=dsn)
    with server.connect(dsn.rpartition("/")[2], autocommit=True) as connection:
        connection.execute("update supabase_migrations.schema_migrations set statements = '{select 1}'")

    assert {one["state"] for one in status(spots_ml, dsn)["migrations"]} == {"changed"}
    pushed = spots_ml("push", "--yes", supabase_dsn=dsn)
    assert (pushed.exit_code, "changed since they were applied" in pushed.stderr) == (1, True)


@pytest.mark.parametrize(
    ("dsn", "status", "told"),
    [
        ("", 2, "SPOTS_ML_SUPABASE_DSN is not set"),
        ("postgres", 2, "no address of a Postgres"),
        ("postgresql://u:top-secret@127.0.0.1:1/postgres", 1, "Connection refused"),
        ("postgresql://u:top-secret@nowhere.invalid:5432/postgres", 1, "check the DSN and the network"),
        ("postgresql://u:top-secret@pooler.example:6543/postgres", 2, "transaction pooler"),
    ],
)
@pytest.mark.parametrize("command", ["push", "status"])
def test_what_cannot_be_reached_is_one_line_without_the_password(spots_ml, command, dsn, status, told):
    result = spots_ml(command, supabase_dsn=dsn)

    assert (result.exit_code, result.stdout) == (status, "")
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "top-secret" not in result.output and "Traceback" not in result.output


def test_a_database_that_is_not_there_is_a_wrong_dsn(spots_ml, dsn):
    result = spots_ml("status", supabase_dsn=f"{dsn}_of_others")

    assert result.exit_code == 2, result.output
    assert "copy the DSN again" in result.stderr


@pytest.fixture
def project_as_migrated(project):
    """The project that all tests share, with every function as the migrations have it, and then as it was."""
    with project.server.connect(project.database, autocommit=True) as connection:
        with_its_own_clock(connection)
        yield project
        without_clock(connection)


def test_status_says_whether_api_and_postgres_are_one_project(spots_ml, project_as_migrated):
    project = project_as_migrated
    settings = {"supabase_url": project.url, "supabase_key": project.keys.secret}
    same = spots_ml("status", supabase_dsn=project.dsn, **settings)
    assert same.exit_code == 0, same.output
    assert "API and Postgres: one project" in same.stdout

    wrong_key = spots_ml("status", supabase_dsn=project.dsn, **settings | {"supabase_key": "sb_secret_wrong"})
    assert wrong_key.exit_code == 2
    assert "sb_secret_wrong" not in wrong_key.output
