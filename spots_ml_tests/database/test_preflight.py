"""Migrations look first: all that is in the way is listed, and nothing is changed."""

import pytest

from spots_ml.stores.supabase.migrations.account import MigrationError, apply_migrations, read_migrations
from spots_ml.stores.supabase.migrations.inventory import read_inventory
from spots_ml.stores.supabase.migrations.preflight import ADDED, TAKEN_OVER
from spots_ml.stores.supabase.migrations.push import push_migrations
from spots_ml_tests.database.earlier_table import EARLIER
from spots_ml_tests.database.roles import insert, interaction

TRAINING = "public.calling_score_training_data"
EVERYTHING = """
create schema private;
create table public.performance (id int);
create table public.decisions (id int);
create view public.interactions as select 1 as one;
create type public.arrival as enum ('bus');
create function public.phone_manifest() returns int language sql as 'select 1';
"""
TYPES = """
create type public.mood as enum ('positive', 'neutral', 'negative');
alter table public.calling_score_training_data
    alter column "timestamp" type timestamp, alter column outcome_type type public.mood using outcome_type::public.mood,
    alter column outcome_score type real, alter column metadata type json, add column user_id uuid not null,
    add column weight int, drop column formula_breakdown;
"""


def catalogue(database):
    """Everything that a migration could have changed."""
    with database.owner() as connection:
        return connection.execute(
            "select (select array_agg(nspname::text order by 1) from pg_namespace) as spaces,"
            " (select array_agg(relname::text order by 1) from pg_class where relnamespace::regnamespace::text !~ '^pg'"
            " and oid >= 16384) as relations, (select array_agg(proname::text order by 1) from pg_proc where"
            " pronamespace::regnamespace::text !~ '^pg') as functions,"
            " (select array_agg(attname::text order by 1) from pg_attribute where attrelid >= 16384) as columns"
        ).fetchone()


def listed(database, apply=apply_migrations):
    before = catalogue(database)
    with pytest.raises(MigrationError, match="nothing was applied, because") as caught:
        apply(database.url)
    assert catalogue(database) == before
    assert {one.state for one in read_migrations(database.url)} == {"pending"}
    return str(caught.value).splitlines()[1:-1]


def test_names_that_are_taken_are_all_listed(empty_project):
    with empty_project.owner() as connection:
        connection.execute(EVERYTHING)
    lines = listed(empty_project)

    for told in (
        "the schema private is there and is none of ours",
        "the table public.performance is there",
        "the table public.decisions is there",
        "the view public.interactions is there",
        "the type public.arrival is there",
        "the function public.phone_manifest is there",
    ):
        assert [told in line and "expected none of that name" in line for line in lines].count(True) == 1
    assert len(lines) == 6


def test_columns_of_other_kinds_are_all_listed_with_what_to_do(empty_project):
    with empty_project.owner() as connection:
        connection.execute(EARLIER + TYPES)
    lines = listed(empty_project)

    for told in (
        f"timestamp of {TRAINING} is timestamp without time zone; expected timestamp with time zone; alter table",
        f"outcome_type of {TRAINING} is the enum mood; expected text",
        f"outcome_score of {TRAINING} is real; expected double precision",
        f"metadata of {TRAINING} is json; expected jsonb",
        f"user_id of {TRAINING} is not null and has no default",
        f"weight of {TRAINING} is there and is none of ours",
        f"{TRAINING} has no column formula_breakdown",
    ):
        assert any(told in line for line in lines), (told, lines)
    assert len(lines) == 7


def test_what_is_listed_can_be_done_and_then_all_is_applied(empty_project):
    with empty_project.owner() as connection:
        connection.execute(EARLIER + TYPES.replace("add column user_id uuid not null", "add column user_id uuid"))
        insert(connection, "calling_score_training_data", **without(interaction(), "formula_breakdown"))
        connection.execute(f"update {TRAINING} set user_id = gen_random_uuid()")
        connection.execute(f"alter table {TRAINING} alter user_id set not null")
        for line in listed(empty_project):
            statement = line.rpartition("; ")[2].partition(" (or the zone")[0]
            connection.execute(statement.replace("to \u2026", "to app_weight"))
    assert apply_migrations(empty_project.url)
    with empty_project.service() as connection:
        (row,) = connection.execute(f"select * from {TRAINING}").fetchall()
        assert row["timestamp"] == interaction()["timestamp"]
        insert(connection, "calling_score_training_data", **interaction(at=1))


def without(row, name):
    return {key: value for key, value in row.items() if key != name}


def test_a_view_in_the_place_of_the_apps_table_is_told(empty_project):
    with empty_project.owner() as connection:
        connection.execute(f"create view {TRAINING} as select 1 as id")
    assert any(f"the view {TRAINING} is there" in line and "expected a table" in line for line in listed(empty_project))


def test_a_database_in_another_zone_is_told(empty_project):
    with empty_project.owner() as connection:
        connection.execute(f"alter database {empty_project.name} set timezone = 'Europe/Berlin'")
    (line,) = listed(empty_project)
    assert "in the zone Europe/Berlin; expected UTC" in line


def test_the_cli_is_not_started_either(empty_project, tmp_path):
    with empty_project.owner() as connection:
        connection.execute(EVERYTHING)
    assert listed(empty_project, lambda url: push_migrations(url, cli=tmp_path / "never-run"))


def test_a_row_that_breaks_a_rule_leaves_nothing_of_any_migration(empty_project):
    with empty_project.owner() as connection:
        connection.execute(EARLIER)
        insert(connection, "calling_score_training_data", **interaction(outcome_type="splendid"))
    before = catalogue(empty_project)
    with pytest.raises(MigrationError, match="and none of those that were pending"):
        apply_migrations(empty_project.url)
    assert catalogue(empty_project) == before


def test_a_table_that_the_app_made_as_it_should_is_taken_over(empty_project):
    with empty_project.owner() as connection:
        connection.execute(EARLIER)
        connection.execute(f"alter table {TRAINING} add column note text, alter column agent_id type varchar(80)")
    assert apply_migrations(empty_project.url)


def test_what_is_looked_for_is_what_the_migrations_make(shared):
    with shared.owner() as connection:
        for table, columns in TAKEN_OVER.items():
            found = dict(
                tuple(row.values())
                for row in connection.execute(
                    "select attname::text, format_type(atttypid, null) from pg_attribute"
                    " where attrelid = %s::regclass and attnum > 0 and not attisdropped",
                    (table,),
                )
            )
            assert {name: found[name] for name in columns} == columns
            assert set(found) - set(columns) <= set(ADDED[table])


def test_what_earlier_migrations_made_is_in_nobodys_way(tmp_path):
    (tmp_path / "1_a.sql").write_text("create view public.shown as select 1;\n")
    (tmp_path / "2_b.sql").write_text("drop view public.shown;\ncreate view public.shown as select 2;\n")
    assert read_inventory(sorted(tmp_path.iterdir())).names["view"] == {"public.shown"}
