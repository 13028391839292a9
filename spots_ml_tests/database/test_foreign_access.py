"""An app's later policies and grants open nothing, and are named; what is declared is what a migrated database has."""

import psycopg
import pytest

from spots_ml.stores.supabase.migrations.access import AT_THE_MOST, foreign_access
from spots_ml.stores.supabase.migrations.account import migration_files
from spots_ml.stores.supabase.migrations.inventory import read_inventory
from spots_ml.stores.supabase.migrations.rights import RELATION_RIGHTS
from spots_ml_tests.database.clock import with_its_own_clock, without_clock
from spots_ml_tests.database.roles import AGENT_A, AGENT_B, ab_outcome, decision, insert, interaction, outcome

TRAINING = "public.calling_score_training_data"
AB_TEST = "public.calling_score_ab_test_outcomes"
TABLES = read_inventory(migration_files()).names["table"]
SEEN = {TRAINING: 1, AB_TEST: 1, "public.model_kinds": 2}
"""How many rows an agent may see at the most, of those below: its own, and the kinds of models for phones."""

# What an app's migrations have that ran before: the table for everybody.
OPENED = """
alter table {table} enable row level security;
create policy "Enable all for everyone" on {table} for all using (true) with check (true);
grant all on {table} to anon, authenticated;
"""
# What a later one brings, to make some screen work again.
POLICY_FIX = """
create policy "training data is readable" on {table} for select to authenticated using (true);
"""


@pytest.fixture(autouse=True)
def as_migrated(request):
    """Databases in which every function is that of the migrations."""
    used = [request.getfixturevalue(name) for name in ("shared", "database") if name in request.fixturenames]
    for one in used:
        with one.owner() as connection:
            with_its_own_clock(connection)
    yield
    for one in used:
        with one.owner() as connection:
            without_clock(connection)


def rows_of_two(database):
    with database.service() as connection:
        for agent in (AGENT_A, AGENT_B):
            insert(connection, "calling_score_training_data", **interaction(agent) | outcome())
            insert(connection, "calling_score_ab_test_outcomes", **ab_outcome(agent))
    with database.owner() as connection:
        insert(connection, "decisions", **decision(), logged_at="2026-11-21 10:00+00")


@pytest.mark.parametrize("statements", [OPENED, POLICY_FIX], ids=["using true", "policy fix"])
@pytest.mark.parametrize("table", [TRAINING, AB_TEST])
def test_an_agent_reads_its_own_rows_only_whatever_later_policies_say(database, statements, table):
    rows_of_two(database)
    with database.owner() as connection:
        connection.execute(statements.format(table=table))
    with database.acting("authenticated", AGENT_B) as connection:
        assert [row["agent_id"] for row in connection.execute(f"select agent_id from {table}")] == [AGENT_B]


@pytest.mark.parametrize("table", sorted(TABLES))
def test_later_grants_and_policies_open_nothing(database, table):
    rows_of_two(database)
    with database.owner() as connection:
        connection.execute("grant usage on schema private to anon, authenticated")
        connection.execute("grant execute on all functions in schema private to anon, authenticated")
        connection.execute(OPENED.format(table=table))
        held = connection.execute(f"select from {table}").rowcount
    with database.acting("anon") as connection:
        assert count_of(connection, "select", table) == 0
        assert count_of(connection, "delete", table) == 0
    with database.acting("authenticated", AGENT_B) as connection:
        assert count_of(connection, "select", table) == SEEN.get(table, 0)
        assert count_of(connection, "delete", table) == 0
    with database.owner() as connection:
        assert connection.execute(f"select from {table}").rowcount == held


def count_of(connection, command, table):
    """How many rows it reaches; none where it is refused, by an append-only table or by what a condition looks into."""
    try:
        return connection.execute(f"{command} from {table}").rowcount
    except (psycopg.errors.RestrictViolation, psycopg.errors.InsufficientPrivilege):
        return 0


def test_later_grants_let_an_agent_write_no_row_of_another(database):
    rows_of_two(database)
    with database.owner() as connection:
        for table in (TRAINING, AB_TEST):
            connection.execute(OPENED.format(table=table))
    with database.acting("authenticated", AGENT_B) as connection:
        for table, row in (
            ("calling_score_training_data", interaction),
            ("calling_score_ab_test_outcomes", ab_outcome),
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="at_the_most_insert"):
                insert(connection, table, **row(AGENT_A, at=1))
        assert connection.execute(f"update {TRAINING} set outcome_score = 0.9").rowcount == 1


def test_every_table_is_closed_for_every_command(shared):
    with shared.owner() as connection:
        rows = connection.execute(
            "select schemaname || '.' || tablename as name, policyname from pg_policies"
            " where permissive = 'RESTRICTIVE' and roles = '{public}' and schemaname in ('public', 'private')"
        ).fetchall()
    assert {(row["name"], row["policyname"]) for row in rows} == {
        (table, one) for table in TABLES for one in AT_THE_MOST
    }


def test_the_files_name_every_table_view_and_function(shared):
    with shared.owner() as connection:
        found = connection.execute(
            "select case relkind when 'r' then 'table' when 'v' then 'view' end as kind,"
            " relnamespace::regnamespace || '.' || relname as name from pg_class"
            " where relnamespace in ('public'::regnamespace, 'private'::regnamespace) and relkind in ('r', 'v')"
            " union all select 'function', pronamespace::regnamespace || '.' || proname from pg_proc"
            " where pronamespace in ('public'::regnamespace, 'private'::regnamespace)"
        ).fetchall()
    names = read_inventory(migration_files()).names
    for kind in ("table", "view"):
        assert {row["name"] for row in found if row["kind"] == kind} == names[kind]
    assert {row["name"] for row in found if row["kind"] == "function"} <= names["function"]


def test_a_migrated_project_has_no_foreign_access(shared):
    assert foreign_access(shared.url) == ()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (OPENED.format(table=TRAINING), 'has the policy "Enable all for everyone"'),
        (OPENED.format(table=TRAINING), f"anon has DELETE on {TRAINING}; revoke delete on it from anon"),
        (POLICY_FIX.format(table="public.decisions"), 'drop policy "training data is readable" on public.decisions'),
        ("grant select on public.interactions to authenticated", "authenticated has SELECT on public.interactions"),
        ("grant select on public.decisions to public", "everybody has SELECT on public.decisions"),
        ("grant usage on sequence public.decision_rows to anon", "anon has USAGE on public.decision_rows"),
        (
            "grant usage on sequence public.version_history_sequence_seq to anon",
            "anon has USAGE on public.version_history_sequence_seq",
        ),
        (f"grant update (agent_id) on {TRAINING} to authenticated", f"UPDATE on {TRAINING}.agent_id"),
        (
            "grant execute on function public.label_watermark() to anon",
            "anon has EXECUTE on public.label_watermark",
        ),
        (f"revoke select on {TRAINING} from authenticated", f"authenticated has no SELECT on {TRAINING}"),
        ("alter table public.performance disable row level security", "public.performance has no row level security"),
        (f"drop policy at_the_most_select on {TRAINING}", f"policy at_the_most_select of {TRAINING} is gone"),
        (f"alter policy own_rows_read on {TRAINING} using (true)", f"own_rows_read of {TRAINING} is always true"),
        (
            f"alter policy at_the_most_select on {TRAINING} to anon",
            f"at_the_most_select of {TRAINING} no longer restricts everybody",
        ),
        ("alter view public.interactions reset (security_invoker)", "public.interactions shows what its owner may see"),
        (f"create view public.leak as select * from {TRAINING}", f"public.leak shows rows of {TRAINING}"),
        (
            "create materialized view public.heap as select * from public.decisions",
            "public.heap shows rows of public.decisions",
        ),
        (f"alter table {TRAINING} disable trigger c_keep_interaction", "trigger c_keep_interaction of"),
        (
            "create or replace function private.own_agent_id() returns text language sql stable as $$ select 'x' $$",
            "private.own_agent_id() does what none of the migrations says",
        ),
        ("drop view public.served_models", "the view public.served_models is gone"),
    ],
)
def test_what_lets_somebody_do_other_things_is_named(database, statement, told):
    with database.owner() as connection:
        connection.execute(statement)
    assert any(told in one for one in foreign_access(database.url)), foreign_access(database.url)


def test_what_the_app_keeps_beside_ours_is_its_own(database):
    with database.owner() as connection:
        connection.execute(
            "create table public.app_settings (id serial); grant all on public.app_settings to anon;"
            " grant usage on sequence public.app_settings_id_seq to anon;"
            " create policy open on public.app_settings using (true);"
            " create function public.app_function() returns int language sql as 'select 1';"
            f" create view public.mine with (security_invoker = true) as select * from {TRAINING};"
        )
    assert foreign_access(database.url) == ()


def test_nobody_is_declared_to_use_a_sequence():
    assert {right for rights in RELATION_RIGHTS.values() for _, right in rights} <= {
        *("SELECT", "INSERT", "UPDATE", "DELETE"),
    }
