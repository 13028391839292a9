"""The table of kinds in SQL: what is declared in Python, what the registry asks of it, and what a phone is told."""

import shutil

import psycopg
import pytest

from spots_ml.models.declared import DECLARED
from spots_ml.stores.supabase.migrations.account import MIGRATIONS_DIR, apply_migrations
from spots_ml_tests.database.roles import AGENT_A, bless, call, content, hours, model_file

TREND = "insert into public.model_kinds (name, audience, role, initial_weight) values ('trend', 'server', 'none', 0.25)"


def register(connection, model_type):
    sent = content(model_type=model_type)
    return call(
        connection,
        "register_model_version",
        p_content=sent,
        p_watermark=None,
        p_at=hours(0),
        p_actor="test",
        **model_file(sent),
    )


def promote(connection, model_type):
    bless(connection, model_type, "v1.0-synthetic")
    return call(
        connection,
        "promote_model_version",
        p_model_type=model_type,
        p_version="v1.0-synthetic",
        p_at=hours(1),
        p_actor="test",
        p_reason="",
    )


def test_the_table_holds_what_is_declared(shared):
    with shared.service() as connection:
        rows = connection.execute("select name, audience, role, initial_weight from public.model_kinds").fetchall()
    declared = [(spec.name, spec.audience, spec.role, spec.initial_weight) for spec in DECLARED]
    assert sorted(tuple(row.values()) for row in rows) == sorted(declared)


def test_a_version_of_a_kind_that_is_not_there_is_refused_with_those_that_are(shared):
    with shared.service() as connection:
        answer = register(connection, "trend")
        assert answer["status"] == "refused"
        assert "no kind of model trend; known are calling_score, outcome" in answer["reason"]
        assert connection.execute("select count(*) as n from public.model_versions").fetchone()["n"] == 0


def test_one_row_is_all_that_a_further_kind_needs_and_a_phone_hears_nothing_of_one_for_the_server(database):
    with database.owner() as connection:
        connection.execute(TREND)
    with database.service() as connection:
        for model_type, weight in (("trend", 0.25), ("outcome", 0.1)):
            assert register(connection, model_type)["version"]["weight"] == weight
            assert promote(connection, model_type)["version"]["status"] == "active"
        served = connection.execute("select model_type from public.served_models").fetchall()
    assert [row["model_type"] for row in served] == ["outcome"]
    with database.acting("authenticated", AGENT_A) as connection:
        seen = connection.execute("select model_type from public.model_versions").fetchall()
        kinds = connection.execute("select name from public.model_kinds order by name").fetchall()
        document = connection.execute("select public.phone_manifest() as document").fetchone()["document"]
    assert [row["model_type"] for row in seen] == ["outcome"]
    assert [row["name"] for row in kinds] == ["calling_score", "outcome"]
    assert sorted(document["models"]) == ["calling_score", "outcome"]
    assert document["models"]["outcome"]["active"]["version"] == "v1.0-synthetic"


def test_no_two_kinds_play_one_role_and_a_kind_with_versions_stays(database):
    with database.service() as connection:
        register(connection, "outcome")
    with database.owner() as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(TREND.replace("'none'", "'outcome_filter'"))
    with database.owner() as connection, pytest.raises(psycopg.errors.ForeignKeyViolation):
        connection.execute("delete from public.model_kinds where name = 'outcome'")


def test_versions_of_before_the_table_are_kept(empty_project, tmp_path):
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    for file in MIGRATIONS_DIR.glob("20261121*.sql"):
        shutil.copy(file, earlier)
    apply_migrations(empty_project.url, earlier)
    with empty_project.service() as connection:
        before = register(connection, "calling_score")["version"]

    applied = apply_migrations(empty_project.url)

    assert any(name.endswith("_model_kinds.sql") for name in applied)
    with empty_project.service() as connection:
        after = connection.execute("select * from public.model_versions").fetchone()
        assert register(connection, "calling_score")["created"] is False
    assert {name: after[name] for name in ("model_type", "version", "weight")} == {
        name: before[name] for name in ("model_type", "version", "weight")
    }
