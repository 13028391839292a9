"""What applying the migrations does, on an empty project and on one whose app has written for months."""

import re
import tomllib

import psycopg
import pytest

from spots_ml_tests.database.postgres import MIGRATIONS, apply_migrations
from spots_ml_tests.database.roles import AGENT_A, AGENT_B, hours, insert, interaction, outcome

# The table as an app made it before this project did, with the policy that let everybody read everything.
EARLIER = """
create table public.calling_score_training_data (
    id uuid primary key default gen_random_uuid(), agent_id text not null, opportunity_id text not null,
    user_vibe_dimensions jsonb not null, spot_vibe_dimensions jsonb not null,
    context_features jsonb default '{}', timing_features jsonb default '{}',
    formula_calling_score double precision not null check (formula_calling_score >= 0.0),
    formula_is_called boolean not null, formula_breakdown jsonb not null, outcome_id uuid, outcome_type text,
    outcome_score double precision, outcome_timestamp timestamptz, timestamp timestamptz default now(),
    created_at timestamptz default now(), updated_at timestamptz default now(), metadata jsonb default '{}'
);
alter table public.calling_score_training_data enable row level security;
create policy "own, some day" on public.calling_score_training_data for select using (true);
grant all on public.calling_score_training_data to anon, authenticated, service_role;
"""


def test_names_are_those_of_the_supabase_cli():
    names = [file.name for file in sorted(MIGRATIONS.glob("*.sql"))]

    assert names
    assert all(re.fullmatch(r"\d{14}_[a-z_]+\.sql", name) for name in names)
    assert len({name[:14] for name in names}) == len(names)


def test_the_configuration_keeps_the_cap_and_shows_public_alone():
    config = tomllib.loads((MIGRATIONS.parent / "config.toml").read_text())

    assert config["api"]["max_rows"] == 1000
    assert config["api"]["schemas"] == ["public"]
    assert config["storage"]["buckets"]["models"]["public"] is False


def test_the_second_time_there_is_nothing_to_apply(empty_project):
    assert apply_migrations(empty_project.url) == [file.name for file in sorted(MIGRATIONS.glob("*.sql"))]
    assert apply_migrations(empty_project.url) == []


def test_a_migration_that_breaks_leaves_nothing_and_is_tried_again(empty_project, tmp_path):
    (tmp_path / "20260101000000_one.sql").write_text("create table public.one (id int);")
    broken = tmp_path / "20260101000001_two.sql"
    broken.write_text("create table public.two (id int); select 1 / 0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        apply_migrations(empty_project.url, tmp_path)

    broken.write_text("create table public.two (id int);")
    assert apply_migrations(empty_project.url, tmp_path) == [broken.name]


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
        found = connection.execute(
            'select "timestamp", row_sequence, label_sequence from public.calling_score_training_data'
            " order by row_sequence"
        ).fetchall()
    assert [tuple(row.values()) for row in found] == [
        (hours(0), 1, 2),
        (hours(1), 2, None),
        (hours(2), 3, 1),
        (hours(-5), 4, 3),
    ]


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

    with pytest.raises(psycopg.errors.CheckViolation, match="training_outcome_type"):
        apply_migrations(empty_project.url)
