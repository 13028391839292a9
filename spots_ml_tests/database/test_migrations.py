"""What applying the migrations does, on an empty project and on one whose app has written for months."""

import re
import tomllib
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from spots_ml.stores.supabase.migrations.account import (
    MIGRATIONS_DIR,
    MigrationError,
    apply_migrations,
    migration_files,
    read_migrations,
)
from spots_ml.stores.supabase.transport.refusals import AccessError
from spots_ml_tests.database.earlier_table import EARLIER
from spots_ml_tests.database.roles import AGENT_A, AGENT_B, call, hours, insert, interaction, outcome


def test_names_are_those_of_the_supabase_cli():
    names = [file.name for file in sorted(MIGRATIONS_DIR.glob("*.sql"))]

    assert names
    assert all(re.fullmatch(r"\d{14}_[a-z_]+\.sql", name) for name in names)
    assert len({name[:14] for name in names}) == len(names)


def test_the_configuration_keeps_the_cap_and_shows_public_alone():
    config = tomllib.loads((MIGRATIONS_DIR.parent / "config.toml").read_text())

    assert config["api"]["max_rows"] == 1000
    assert config["api"]["schemas"] == ["public"]
    assert config["storage"]["buckets"]["models"]["public"] is False


def test_the_second_time_there_is_nothing_to_apply(empty_project):
    assert apply_migrations(empty_project.url) == [file.name for file in sorted(MIGRATIONS_DIR.glob("*.sql"))]
    assert apply_migrations(empty_project.url) == []


def write(folder, **migrations):
    """Migrations by name, in their order."""
    folder.mkdir(exist_ok=True)
    for number, (name, statements) in enumerate(migrations.items()):
        (folder / f"2026010100000{number}_{name}.sql").write_text(statements)
    return folder


def states(project, folder):
    return {one.name: one.state for one in read_migrations(project.url, folder)}


def test_a_migration_that_breaks_leaves_nothing_of_any_and_all_are_tried_again(empty_project, tmp_path):
    write(tmp_path, one="create table public.one (id int);", two="create table public.two (id int);\nselect 1 / 0;")
    with pytest.raises(MigrationError, match=r"20260101000001_two\.sql was not applied.*division by zero"):
        apply_migrations(empty_project.url, tmp_path)
    assert states(empty_project, tmp_path) == {"one": "pending", "two": "pending"}

    write(tmp_path, one="create table public.one (id int);", two="create table public.two (id int);")
    assert apply_migrations(empty_project.url, tmp_path) == ["20260101000000_one.sql", "20260101000001_two.sql"]


def test_a_statement_that_cannot_be_read_is_named_by_its_line(empty_project, tmp_path):
    write(tmp_path, one="create table public.one (id int);\n\nselect nonsense;")

    with pytest.raises(MigrationError, match=r'"nonsense" does not exist \(SQLSTATE 42703, line 3\)'):
        apply_migrations(empty_project.url, tmp_path)


def test_a_project_without_an_account_has_everything_pending_and_stays_as_it_is(empty_project):
    assert {one.state for one in read_migrations(empty_project.url)} == {"pending"}
    with empty_project.owner() as connection:
        found = connection.execute("select 1 from pg_namespace where nspname = 'supabase_migrations'").fetchone()
    assert found is None


def test_files_and_account_are_held_against_each_other(empty_project, tmp_path):
    before = write(tmp_path / "before", one="select 1;", two="select 2;", theirs="select 3;")
    apply_migrations(empty_project.url, before)
    now = write(tmp_path / "now", one="select 1 ;\n", two="select 22;")
    (now / "20260101000003_four.sql").write_text("select 4;")

    assert states(empty_project, now) == {"one": "applied", "two": "changed", "theirs": "unknown", "four": "pending"}


def test_who_pushes_second_waits_and_finds_it_done(empty_project):
    with ThreadPoolExecutor(3) as threads:
        applied = list(threads.map(apply_migrations, [empty_project.url] * 3))
    files = [file.name for file in migration_files()]
    assert sorted(applied) == [[], [], files]


@pytest.mark.parametrize("settings", ["", "alter role reader set default_transaction_read_only = on"])
def test_a_role_that_may_only_read_is_told_which_one_to_use(empty_project, settings):
    with empty_project.owner() as connection:
        connection.execute("create role reader login")
        connection.execute(settings)
        try:
            with pytest.raises(AccessError, match="role that owns the tables"):
                apply_migrations(empty_project.server.url(empty_project.name, "reader"))
        finally:
            connection.execute("drop role reader")


def test_a_database_that_lets_nobody_in_is_an_error_of_one_line_without_the_password(empty_project):
    url = f"postgresql://nobody-here:top-secret@127.0.0.1:{empty_project.server.port}/{empty_project.name}"

    with pytest.raises(AccessError, match=r'role "nobody-here" does not exist') as caught:
        read_migrations(url)
    assert "top-secret" not in str(caught.value) and "\n" not in str(caught.value)


def test_no_extension_is_needed(shared):
    with shared.owner() as connection:
        found = connection.execute("select extname from pg_extension").fetchall()
    assert [row["extname"] for row in found] == ["plpgsql"]


def test_rows_of_an_earlier_table_are_kept_and_numbered(empty_project):
    with empty_project.owner() as connection:
        connection.execute(EARLIER)
        insert(connection, "calling_score_training_data", **interaction(at=2) | outcome(at=3))
        insert(connection, "calling_score_training_data", **interaction(at=1, opportunity="spot-2"))
        insert(connection, "calling_score_training_data", **interaction(at=0, opportunity="spot-3") | outcome(at=9))
    apply_migrations(empty_project.url)

    with empty_project.service() as connection:
        insert(connection, "calling_score_training_data", **interaction(at=-5) | outcome())
        call(connection, "label_watermark")
        found = connection.execute(
            "select scored_at, row_sequence, label_sequence from public.interactions order by row_sequence"
        ).fetchall()
    assert [tuple(row.values()) for row in found] == [
        (hours(0), 1, 2),
        (hours(1), 2, None),
        (hours(2), 3, 1),
        (hours(-5), 4, 3),
    ]


def test_an_import_goes_into_an_earlier_table_too(empty_project):
    """It knows nothing of what the app alone says, such as how the formula came to its score."""
    told = {
        "user_vibe_dimensions": {"novelty_seeking": 0.7},
        "spot_vibe_dimensions": {},
        "outcome_type": "positive",
        "outcome_score": 0.8,
    }
    with empty_project.owner() as connection:
        connection.execute(EARLIER)
    apply_migrations(empty_project.url)

    batch = uuid.uuid4()
    with empty_project.service() as connection:
        insert(connection, "incoming_rows", batch=batch, position=0, item=told)
        report = call(
            connection,
            "import_interactions",
            p_batch=batch,
            p_n_rows=1,
            p_source_kind="hybrid",
            p_source="a test",
            p_at=hours(0),
        )
    assert (report["status"], report["n_new"], report["n_new_labels"]) == ("ok", 1, 1)


def test_an_earlier_table_loses_the_policy_that_let_everybody_read(empty_project):
    with empty_project.owner() as connection:
        connection.execute(EARLIER)
        insert(connection, "calling_score_training_data", **interaction(AGENT_A))
    apply_migrations(empty_project.url)

    with empty_project.acting("authenticated", AGENT_B) as connection:
        assert connection.execute("select * from public.calling_score_training_data").fetchall() == []
    with empty_project.acting("anon") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("select * from public.calling_score_training_data")


def test_an_earlier_table_with_rows_that_break_the_rules_stops_the_migration(empty_project):
    with empty_project.owner() as connection:
        connection.execute(EARLIER)
        insert(connection, "calling_score_training_data", **interaction() | outcome(kind="splendid"))

    with pytest.raises(MigrationError, match="training_outcome_type") as caught:
        apply_migrations(empty_project.url)
    assert AGENT_A not in str(caught.value)
