"""Who may do what: grants and row level security, asked of the catalog and tried as each role."""

import psycopg
import pytest
from psycopg.types.json import Jsonb

from spots_ml.interactions.reading.record_layout import DERIVED_KEYS, FEATURE_GROUPS
from spots_ml.stores.supabase.migrations.account import apply_migrations, migration_files
from spots_ml.stores.supabase.migrations.inventory import read_inventory
from spots_ml.stores.supabase.migrations.rights import FUNCTION_RIGHTS, READER, RELATION_RIGHTS
from spots_ml_tests.database.roles import (
    AGENT_A,
    AGENT_B,
    START,
    ab_outcome,
    bless,
    call,
    content,
    insert,
    interaction,
    model_file,
    outcome,
)
from spots_ml_tests.database.rollout_calls import start_rollout

TRAINING = "calling_score_training_data"
AB_TEST = "calling_score_ab_test_outcomes"
SERVICE_TABLES = ("incoming_rows", "quarantined_interactions", "interactions")

GRANTED = """
select relation.relname as name, column_name, right_name
from (
    select oid, relname, null as column_name, relacl as acl, relnamespace, relkind from pg_class
    union all
    select attrelid, relname, attname, attacl, relnamespace, relkind
    from pg_attribute join pg_class on pg_class.oid = attrelid where attacl is not null
) as relation
cross join lateral (
    select privilege_type as right_name, grantee from aclexplode(relation.acl)
) as granted
where relnamespace = 'public'::regnamespace and granted.grantee in (0, %(role)s::regrole)
"""


def granted(connection, role):
    rows = connection.execute(GRANTED, {"role": role}).fetchall()
    return {(".".join(filter(None, ("public", row["name"], row["column_name"]))), row["right_name"]) for row in rows}


@pytest.fixture
def old_project(empty_project):
    """A project of the time when Supabase granted everything in public to everybody by default."""
    with empty_project.owner() as connection:
        for kind in ("tables", "sequences", "functions"):
            connection.execute(
                f"alter default privileges in schema public grant all on {kind} to anon, authenticated, service_role"
            )
    apply_migrations(empty_project.url)
    return empty_project


@pytest.mark.parametrize("role", RELATION_RIGHTS)
@pytest.mark.parametrize("project", ["shared", "old_project"])
def test_a_role_has_these_rights_and_no_other(request, server, project, role):
    with request.getfixturevalue(project).owner() as connection:
        assert granted(connection, role) == RELATION_RIGHTS[role]


def test_agents_change_outcomes_alone_and_nobody_but_the_service_deletes():
    writing = {(role, *one) for role, rights in RELATION_RIGHTS.items() for one in rights if one[1] != "SELECT"}

    assert {name.split(".")[2] for role, name, right in writing if (role, right) == ("authenticated", "UPDATE")} == {
        *("outcome_id", "outcome_type", "outcome_score", "outcome_timestamp", "updated_at", "metadata")
    }
    assert {role for role, _, right in writing if right == "DELETE"} == {"service_role"}
    assert {role for role, _, _ in writing} == {"authenticated", "service_role"}


@pytest.mark.parametrize("project", ["shared", "old_project"])
def test_functions_may_be_called_by_whom_they_are_for_and_by_nobody_else(request, server, project):
    with request.getfixturevalue(project).owner() as connection:
        rows = connection.execute(
            "select pronamespace::regnamespace || '.' || proname as name, role,"
            " has_function_privilege(role, pg_proc.oid, 'execute') as may from pg_proc, unnest(%s::text[]) as role"
            " where pronamespace in ('public'::regnamespace, 'private'::regnamespace)",
            (list(FUNCTION_RIGHTS),),
        ).fetchall()
    assert {(row["role"], row["name"]) for row in rows if row["may"]} == {
        (role, name) for role, names in FUNCTION_RIGHTS.items() for name in names
    }


def test_an_agent_calls_one_function_of_the_api():
    assert {name for name in FUNCTION_RIGHTS["authenticated"] if name.startswith("public.")} == {
        "public.phone_manifest"
    }


def test_nobody_reads_or_writes_the_private_tables(shared):
    with shared.owner() as connection:
        tables = connection.execute(
            "select relname, role from pg_class, unnest(%s::text[]) as role"
            " where relnamespace = 'private'::regnamespace and relkind = 'r'"
            " and has_table_privilege(role, pg_class.oid, 'select, insert, update, delete')",
            (list(RELATION_RIGHTS),),
        ).fetchall()
    assert tables == []


def test_every_function_has_a_fixed_search_path(shared):
    with shared.owner() as connection:
        rows = connection.execute(
            "select proname from pg_proc where pronamespace in ('public'::regnamespace, 'private'::regnamespace)"
            " and not coalesce('search_path=\"\"' = any (proconfig), false)"
        ).fetchall()
    assert rows == []


def test_every_table_has_row_level_security_and_every_view_asks_as_its_reader(shared):
    with shared.owner() as connection:
        tables = connection.execute(
            "select relname, relrowsecurity from pg_class"
            " where relnamespace in ('public'::regnamespace, 'private'::regnamespace) and relkind in ('r', 'p')"
        ).fetchall()
        views = connection.execute(
            "select relname, reloptions from pg_class where relnamespace = 'public'::regnamespace and relkind = 'v'"
        ).fetchall()
    assert len(tables) == len(read_inventory(migration_files()).names["table"])
    assert all(row["relrowsecurity"] for row in tables)
    assert {row["relname"] for row in views} == {
        *("served_models", "decisions_with_outcomes", "interactions", "phone_decisions", "phone_comparisons"),
        "open_retraining_requests",
    }
    assert all("security_invoker=true" in row["reloptions"] for row in views)


def test_every_policy_that_permits_names_a_condition_but_the_one_of_the_bulk_reader(shared):
    with shared.owner() as connection:
        rows = connection.execute(
            "select * from pg_policies where schemaname = 'public' and permissive = 'PERMISSIVE'"
        ).fetchall()
    assert {(row["tablename"], row["cmd"], *row["roles"]) for row in rows} == {
        *((TRAINING, command, "authenticated") for command in ("SELECT", "INSERT", "UPDATE")),
        *((AB_TEST, command, "authenticated") for command in ("SELECT", "INSERT")),
        *((name, "SELECT", "authenticated") for name in ("model_versions", "model_kinds")),
        *((name, "SELECT", READER) for name in (TRAINING, "training_arrivals", "training_outcomes", "decisions")),
        *((name, "SELECT", READER) for name in (AB_TEST, "comparison_arrivals")),
    }
    expected = {"model_versions": "file_path", "model_kinds": "audience"}
    for row in rows:
        conditions = [condition for condition in (row["qual"], row["with_check"]) if condition is not None]
        assert conditions
        named = "true" if row["roles"] == [READER] else expected.get(row["tablename"], "own_agent_id")
        assert all(named in condition for condition in conditions)


@pytest.mark.parametrize(
    "name",
    [
        *(TRAINING, AB_TEST, "model_versions", "version_history", "decisions", "performance"),
        *("model_kinds", "served_models", "decisions_with_outcomes", *SERVICE_TABLES),
    ],
)
def test_who_is_not_signed_in_reads_nothing(shared, name):
    with shared.acting("anon") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(f"select * from public.{name}")


@pytest.mark.parametrize(
    "name",
    [
        *("version_history", "decisions", "performance", "refusals", "retraining_requests", "retraining_takings"),
        *("open_retraining_requests", "watches", "rollout_events", "rollout_looks", "rollout_units", *SERVICE_TABLES),
    ],
)
def test_an_agent_reads_nothing_of_what_is_the_services_own(shared, name):
    with shared.acting("authenticated", AGENT_A) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(f"select * from public.{name}")


@pytest.mark.parametrize(("table", "row"), [(TRAINING, interaction), (AB_TEST, ab_outcome)])
def test_an_agent_writes_and_reads_its_own_rows_only(database, table, row):
    with database.acting("authenticated", AGENT_A) as connection:
        insert(connection, table, **row(AGENT_A))
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            insert(connection, table, **row(AGENT_B))
        assert len(connection.execute(f"select * from public.{table}").fetchall()) == 1
    with database.acting("authenticated", AGENT_B) as connection:
        assert connection.execute(f"select * from public.{table}").fetchall() == []
        insert(connection, table, **row(AGENT_B))
        assert [one["agent_id"] for one in connection.execute(f"select * from public.{table}")] == [AGENT_B]
    with database.service() as connection:
        assert len(connection.execute(f"select * from public.{table}").fetchall()) == 2


def test_an_agent_adds_the_outcome_of_its_own_row_only(database):
    with database.service() as connection:
        insert(connection, TRAINING, **interaction(AGENT_A))
        insert(connection, TRAINING, **interaction(AGENT_B))
    with database.acting("authenticated", AGENT_A) as connection:
        changed = connection.execute(
            f"update public.{TRAINING} set outcome_type = 'positive', outcome_score = 0.9"
            " where opportunity_id = 'spot-1'"
        )
        assert changed.rowcount == 1
    with database.service() as connection:
        found = connection.execute(
            f"select agent_id, outcome_score from public.{TRAINING} order by agent_id"
        ).fetchall()
    assert found == [{"agent_id": AGENT_A, "outcome_score": 0.9}, {"agent_id": AGENT_B, "outcome_score": None}]


@pytest.mark.parametrize(
    "statement",
    [
        f"update public.{TRAINING} set formula_calling_score = 1",
        f"update public.{TRAINING} set first_outcome_timestamp = now()",
        f"update public.{TRAINING} set agent_id = '{AGENT_B}'",
        f"delete from public.{TRAINING}",
        f"truncate public.{TRAINING}",
        f"update public.{AB_TEST} set outcome_score = 1",
        f"delete from public.{AB_TEST}",
        "update public.model_versions set weight = 1",
        "select initial_weight from public.model_kinds",
        "insert into public.model_kinds (name) values ('trend')",
        "select metrics from public.model_versions",
        "insert into public.performance (arm) values ('formula')",
        "select public.label_watermark()",
        "select public.rollback_model_version('calling_score', now(), 'a', 'b')",
        "select public.withdraw_model_version('calling_score', now(), 'a', 'b')",
        "select public.take_back_model_version('calling_score', 'v1.0-real', null, now(), 'a', 'b')",
        "select public.unarchive_model_version('calling_score', 'v1.0-real', now(), 'a', 'b')",
        "select private.lock_registry()",
    ],
)
def test_an_agent_may_not(shared, statement):
    with shared.acting("authenticated", AGENT_A) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


def test_an_agents_row_is_no_larger_than_everybody_who_reads_it_can_bear(database):
    heavy = {"novelty_seeking": 0.7, "note": "x" * 20_000}
    with database.acting("authenticated", AGENT_A) as connection:
        insert(connection, TRAINING, **full_interaction())
        for name in ("user_vibe_dimensions", "timing_features", "formula_breakdown", "metadata"):
            with pytest.raises(psycopg.errors.CheckViolation, match=name):
                insert(connection, TRAINING, **interaction(at=1, **{name: heavy}))
        with pytest.raises(psycopg.errors.CheckViolation, match="opportunity_id"):
            insert(connection, TRAINING, **interaction(opportunity="x" * 20_000))
        noise = {f"context_feature_{slot}": "x" * 5_000 for slot in (7, 8, 9, 10)}
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            insert(connection, TRAINING, **interaction(at=1, context_features=noise))
        with pytest.raises(psycopg.errors.CheckViolation, match="metadata"):
            connection.execute(f"update public.{TRAINING} set metadata = %s", (Jsonb(heavy),))
        connection.execute(f"update public.{TRAINING} set metadata = %s", (Jsonb({"note": "x" * 4_000}),))


def full_interaction():
    """All that the app says of a pair, in as many digits as it can."""
    groups = {group: {key: 1 / 3 for key in (*keys, *DERIVED_KEYS[group])} for group, keys in FEATURE_GROUPS.items()}
    return interaction(**groups, formula_breakdown={f"part of the formula {number}": 1 / 3 for number in range(6)})


def test_the_app_adds_a_row_asks_for_its_id_and_finds_it_again_for_the_outcome(database):
    columns = "agent_id, opportunity_id, user_vibe_dimensions, spot_vibe_dimensions, formula_calling_score"
    values = f"('{AGENT_A}', 'spot-1', '{{}}', '{{}}', 0.75, true, '2026-11-21 10:00+00')"
    add = f'insert into public.{TRAINING} ({columns}, formula_is_called, "timestamp") values {values}'
    with database.acting("authenticated", AGENT_A) as connection:
        added = connection.execute(f"{add} returning id").fetchone()
        again = connection.execute(f'{add} on conflict (agent_id, opportunity_id, "timestamp") do nothing returning id')
        assert again.fetchone() is None
        found = connection.execute(
            f"select id from public.{TRAINING} where agent_id = %s and opportunity_id = 'spot-1'"
            ' order by "timestamp" desc limit 1',
            (AGENT_A,),
        ).fetchone()
        assert found == added
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(
                f'{add} on conflict (agent_id, opportunity_id, "timestamp")'
                " do update set formula_calling_score = excluded.formula_calling_score"
            )
        changed = connection.execute(
            f"update public.{TRAINING} set outcome_type = 'positive', outcome_score = 0.9,"
            " outcome_timestamp = '2026-11-21 12:00+00' where id = %s",
            (found["id"],),
        )
        assert changed.rowcount == 1


def test_the_pseudonym_of_an_agent_is_the_one_the_server_put_into_the_token(database):
    token = {"app_metadata": {"agent_id": "agent-7"}, "user_metadata": {"agent_id": "agent-8"}}
    with database.acting("authenticated", AGENT_A, **token) as connection:
        insert(connection, TRAINING, **interaction("agent-7"))
        for other in ("agent-8", AGENT_A):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                insert(connection, TRAINING, **interaction(other))


def test_a_token_without_a_subject_is_nobodys(database):
    with database.service() as connection:
        insert(connection, TRAINING, **interaction())
    with database.acting("authenticated") as connection:
        assert connection.execute(f"select * from public.{TRAINING}").fetchall() == []


@pytest.mark.parametrize(
    "statement",
    [
        "insert into public.model_versions (model_type) values ('outcome')",
        "update public.model_versions set status = 'active'",
        "delete from public.model_versions",
        "insert into public.version_history (actor) values ('me')",
        "delete from public.version_history",
        "delete from public.decisions",
        "insert into public.decisions (decision_id) values ('1')",
        f"truncate public.{TRAINING}",
    ],
)
def test_even_the_service_role_goes_through_the_functions(shared, statement):
    with shared.service() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


def test_the_phone_sees_what_it_may_be_given_and_nothing_else(database):
    with database.service() as connection:
        for number, name in enumerate("abcde"):
            file = {} if name == "e" else model_file(content(name))
            call(
                connection,
                "register_model_version",
                p_content=content(name, f"v1.{number}-real"),
                p_watermark=None,
                p_at=START,
                p_actor="test",
                **file,
            )
        for number in (0, 1):
            bless(connection, "calling_score", f"v1.{number}-real")
            _change(connection, "promote_model_version", p_version=f"v1.{number}-real")
        assert start_rollout(connection, "v1.2-real")["status"] == "ok"
    with database.acting("authenticated", AGENT_A) as connection:
        seen = connection.execute("select * from public.served_models order by version").fetchall()
        rows = connection.execute("select version from public.model_versions order by version").fetchall()

    assert [row["version"] for row in rows] == ["v1.1-real", "v1.2-real"]
    assert [(row["version"], row["role"], row["traffic"], row["weight"]) for row in seen] == [
        ("v1.1-real", "active", 1.0, 0.1),
        ("v1.2-real", "rolling_out", 0.1, 0.1),
    ]
    assert seen[1] | _plain(model_file(content("c"))) == seen[1]
    assert seen[1]["sha256"] == content("c")["sha256"]
    assert seen[1]["contract_digest"] == content("c")["contract_digest"]


def test_an_active_version_without_a_file_is_not_offered(database):
    with database.service() as connection:
        call(
            connection,
            "register_model_version",
            p_content=content(),
            p_watermark=None,
            p_at=START,
            p_actor="test",
        )
        bless(connection, "calling_score", "v1.0-synthetic")
        _change(connection, "promote_model_version", p_version="v1.0-synthetic")
        assert connection.execute("select * from public.served_models").fetchall() == []


def test_training_data_of_others_cannot_be_probed_through_its_unique_key(database):
    with database.service() as connection:
        insert(connection, TRAINING, **interaction(AGENT_A) | outcome())
    with database.acting("authenticated", AGENT_B) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        insert(connection, TRAINING, **interaction(AGENT_A))


def _plain(arguments):
    return {name.removeprefix("p_"): value for name, value in arguments.items()}


def _change(connection, function, **values):
    answer = call(connection, function, p_model_type="calling_score", p_at=START, p_actor="test", p_reason="", **values)
    assert answer["status"] == "ok", answer["reason"]
