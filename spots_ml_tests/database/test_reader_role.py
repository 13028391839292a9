"""The role that reads in bulk: it sees every row of what the pipeline reads, and can do nothing else."""

import uuid

import psycopg
import pytest

from spots_ml.local_supabase.postgres import ADMIN
from spots_ml.stores.supabase.migrations.account import apply_migrations, read_migrations
from spots_ml.stores.supabase.migrations.rights import READER
from spots_ml_tests.database.roles import AGENT_A, AGENT_B, START, ab_outcome, decision, insert, interaction, outcome

READ = (
    *("calling_score_training_data", "interactions", "decisions", "decisions_with_outcomes"),
    *("training_arrivals", "training_outcomes", "phone_decisions"),
    *("calling_score_ab_test_outcomes", "comparison_arrivals", "phone_comparisons"),
)
OTHERS = (
    *("model_versions", "version_history", "performance", "incoming_rows"),
    *("quarantined_interactions", "model_kinds", "served_models"),
)


@pytest.fixture
def filled(database):
    with database.service() as connection:
        for agent in (AGENT_A, AGENT_B):
            insert(connection, "calling_score_training_data", **interaction(agent, is_called=True) | outcome())
        # Read as the record that it is, by a function of its own.
        insert(connection, "calling_score_training_data", **interaction(at=1, context_features=None))
        for agent in (AGENT_A, AGENT_B):
            insert(connection, "calling_score_ab_test_outcomes", **ab_outcome(agent))
    with database.owner() as connection:
        insert(connection, "decisions", **decision(), logged_at=START)
        connection.execute("select public.label_watermark(), public.comparison_watermark()")
    return database


@pytest.fixture
def reader(filled):
    with filled.reading() as connection:
        yield connection


@pytest.fixture
def writer(shared):
    """The same, without the setting that keeps slips of the hand away."""
    with shared.reading() as connection:
        connection.execute("set default_transaction_read_only = off")
        yield connection


@pytest.mark.parametrize("name", READ)
def test_it_sees_every_row_of_what_is_read_in_bulk(filled, reader, name):
    with filled.owner() as owner:
        expected = owner.execute(f"select * from public.{name} order by 1").fetchall()
    assert expected
    assert reader.execute(f"select * from public.{name} order by 1").fetchall() == expected
    assert reader.execute("select private.sees_every_row() as sees").fetchone()["sees"]


@pytest.mark.parametrize("name", OTHERS)
def test_it_reads_nothing_else(writer, name):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        writer.execute(f"select * from public.{name}")


@pytest.mark.parametrize(
    "statement",
    [
        *(f"delete from public.{name}" for name in (*READ, *OTHERS)),
        *(f"truncate public.{name}" for name in READ[:1]),
        *(f"insert into public.{name} default values" for name in (*READ, *OTHERS)),
        "update public.calling_score_training_data set outcome_score = 1",
        "update public.model_versions set status = 'active'",
        "select public.promote_model_version('calling_score', 'v1.0-real', now(), 'me', '')",
        "select public.rollback_model_version('calling_score', now(), 'me', '')",
        "select public.archive_model_version('calling_score', 'v1.0-real', now(), 'me', '')",
        "select public.start_rollout('{}', now(), 'me', 'mine')",
        "select public.change_rollout(1, 1, 'promoted', 'by_hand', 'mine', now(), 'me')",
        "select public.set_model_weight('calling_score', 'v1.0-real', 1, now(), 'me', '')",
        "select public.bless_model_version('{}', now(), 'me', gen_random_uuid())",
        f"select public.import_interactions('{uuid.UUID(int=1)}', 0, 'real', 'me', now())",
        f"select public.log_decisions('{uuid.UUID(int=1)}', 0, now())",
        "select nextval('public.decision_rows')",
        "select private.close_table('public.decisions')",
        "create table public.mine (id int)",
        "create function public.mine() returns int language sql as 'select 1'",
        "alter table public.decisions disable row level security",
        "create policy open on public.performance using (true)",
        "set role service_role",
        "set role postgres",
        "alter role spots_ml_reader bypassrls",
        "select * from private.registry",
        "select auth.jwt()",
    ],
)
def test_it_can_do_nothing_else(writer, statement):
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)):
        writer.execute(statement)


def test_secrets_and_files_of_the_project_are_closed_to_it(filled):
    """The vault and Storage, as Supabase grants them."""
    with filled.server.connect(filled.name, ADMIN, autocommit=True) as admin:
        admin.execute(
            "create schema vault; create table vault.decrypted_secrets (decrypted_secret text);"
            " grant usage on schema vault to service_role; grant select on vault.decrypted_secrets to service_role"
        )
    with filled.reading() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("select * from vault.decrypted_secrets")


def test_it_is_no_more_than_its_grants(shared):
    with shared.owner() as connection:
        role = connection.execute("select * from pg_roles where rolname = %s", (READER,)).fetchone()
        groups = connection.execute(
            "select roleid::regrole::text as name from pg_auth_members where member = %s::regrole", (READER,)
        ).fetchall()
    wanted = ("rolsuper", "rolcreaterole", "rolcreatedb", "rolbypassrls", "rolreplication", "rolcanlogin")
    assert [name for name in wanted if role[name]] == []
    assert groups == []


def test_a_slip_of_the_hand_writes_nothing_at_all(filled):
    """The role's setting holds for who logs in as it."""
    with filled.owner() as owner:
        owner.execute(f"alter role {READER} login")
    try:
        with filled.server.connect(filled.name, READER, autocommit=True) as connection:
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                connection.execute("create temp table mine (id int)")
            assert read_migrations(filled.server.url(filled.name, READER))
    finally:
        with filled.owner() as owner:
            owner.execute(f"alter role {READER} nologin")


def test_a_member_of_it_reads_as_it_does(filled):
    with filled.owner() as owner:
        owner.execute(f"create role trainer login; grant {READER} to trainer")
    try:
        with filled.server.connect(filled.name, "trainer", autocommit=True) as connection:
            assert connection.execute("select private.sees_every_row()").fetchone() == (True,)
            assert connection.execute("select count(*) from public.interactions").fetchone() == (3,)
    finally:
        with filled.owner() as owner:
            owner.execute("drop role trainer")


@pytest.mark.parametrize(
    ("statements", "sees"),
    [
        ("create policy mine on public.decisions as restrictive using (agent_id = 'me')", False),
        ("create policy mine on public.decisions as restrictive for delete using (agent_id = 'me')", True),
        ("create policy mine on public.performance as restrictive using (false)", True),
    ],
)
def test_rows_that_another_policy_hides_are_noticed(database, statements, sees):
    with database.owner() as owner:
        owner.execute(statements)
    with database.reading() as connection:
        assert connection.execute("select private.sees_every_row() as sees").fetchone()["sees"] is sees


def test_a_reader_that_was_made_by_hand_is_the_service_role_no_longer(empty_project):
    with empty_project.server.connect(empty_project.name, ADMIN, autocommit=True) as admin:
        admin.execute("grant service_role to postgres with admin option")
    with empty_project.owner() as owner:
        owner.execute(f"grant service_role to {READER}")
        owner.execute(f"alter role {READER} set role = 'service_role'")
    apply_migrations(empty_project.url)
    with empty_project.owner() as owner:
        assert (
            owner.execute(f"select pg_has_role('{READER}', 'service_role', 'member') as has").fetchone()["has"] is False
        )
        settings = owner.execute("select rolconfig from pg_roles where rolname = %s", (READER,)).fetchone()["rolconfig"]
    assert settings == ["default_transaction_read_only=on"]
