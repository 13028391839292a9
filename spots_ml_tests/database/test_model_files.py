"""The bucket of the models, in a project that has Supabase's storage."""

import json
from pathlib import Path

import psycopg
import pytest

from spots_ml.release.phone_manifest import PhoneManifest, PhoneModel
from spots_ml.stores.supabase.migrations.account import apply_migrations
from spots_ml_tests.database.clock import without_clock
from spots_ml_tests.database.roles import AGENT_A, START, Database, bless, call, content, model_file
from spots_ml_tests.database.rollout_calls import change_rollout, start_document, start_rollout


@pytest.fixture
def project(server, numbers):
    name = f"storage_{next(numbers)}"
    server.create_project(name, Path(__file__).with_name("storage.sql"))
    apply_migrations(server.url(name))
    made = Database(server, name)
    with made.owner() as connection:
        without_clock(connection)
    return made


def names_seen(project, role, agent=None):
    with project.acting(role, agent) as connection:
        return [row["name"] for row in connection.execute("select name from storage.objects order by name")]


def test_the_bucket_is_private(project):
    with project.service() as connection:
        assert connection.execute("select id, public from storage.buckets").fetchall() == [
            {"id": "models", "public": False}
        ]


def test_a_phone_downloads_the_files_of_served_versions_only(project):
    with project.service() as connection:
        connection.execute("insert into storage.buckets (id, name) values ('photos', 'photos')")
        paths = [register(connection, number) for number in range(3)]
        for bucket in ("models", "photos"):
            for path in paths:
                connection.execute("insert into storage.objects (bucket_id, name) values (%s, %s)", (bucket, path))
        assert names_seen(project, "authenticated", AGENT_A) == []

        promote(connection, 1)
    assert names_seen(project, "authenticated", AGENT_A) == [paths[1]]
    assert names_seen(project, "anon") == []
    assert len(names_seen(project, "service_role")) == 6


def test_what_an_app_allows_for_all_its_buckets_is_not_allowed_for_the_models(project):
    """Policies add up: one that an app has for its own files must not open these."""
    with project.owner() as connection:
        connection.execute("create policy everything on storage.objects using (true) with check (true)")
        connection.execute("grant all on storage.objects to anon, authenticated")
    with project.service() as connection:
        connection.execute("insert into storage.buckets (id, name) values ('photos', 'photos')")
        paths = [register(connection, number) for number in range(2)]
        for bucket in ("models", "photos"):
            for path in paths:
                connection.execute("insert into storage.objects (bucket_id, name) values (%s, %s)", (bucket, path))
        promote(connection, 1)

    add = "insert into storage.objects (bucket_id, name) values (%s, 'mine')"
    for role, agent, seen in (("anon", None, []), ("authenticated", AGENT_A, [paths[1]])):
        with project.acting(role, agent) as connection:
            found = connection.execute("select name from storage.objects where bucket_id = 'models'").fetchall()
            assert [row["name"] for row in found] == seen
            connection.execute(add, ("photos",))
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(add, ("models",))
            for change in ("update storage.objects set name = name || '.old'", "delete from storage.objects"):
                assert connection.execute(f"{change} where bucket_id = 'models'").rowcount == 0
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("update storage.objects set bucket_id = 'models' where name = 'mine'")
    assert len(names_seen(project, "service_role")) == 6


def test_the_phone_is_told_what_the_registry_says(project):
    with project.service() as connection:
        for number in range(4):
            register(connection, number)
        register(connection, 0, "outcome")
        promote(connection, 1)
        started = start_rollout(connection, "v1.2-real")
        assert started["status"] == "ok"
        told = manifest(connection)
        row = connection.execute("select * from public.model_versions where status = 'active'").fetchone()
    with project.acting("authenticated", AGENT_A) as connection:
        assert manifest(connection) == told

    active = told.models["calling_score"].active
    assert active.url == f"/storage/v1/object/models/{row['file_path']}"
    assert active.model_dump(exclude={"url"}) == {
        name: row[name] for name in type(active).model_fields if name != "url"
    }
    assert told.format_version == 2
    rolling_out = told.models["calling_score"].rolling_out
    assert (rolling_out.version, rolling_out.traffic, rolling_out.weight) == ("v1.2-real", 0.1, 0.1)
    assert (rolling_out.experiment, rolling_out.stage) == ("rollout-1", 1)
    assert rolling_out.salt == started["rollout"]["salt"]
    assert told.models["outcome"] == PhoneModel(active=None, rolling_out=None)
    with project.acting("anon") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        manifest(connection)


def test_the_rollout_of_a_weight_is_the_active_version_with_another_one(project):
    with project.service() as connection:
        register(connection, 0)
        promote(connection, 0)
        document = start_document(connection, "v1.0-real", kind="weight", weight=0.3)
        assert start_rollout(connection, "v1.0-real", document=document)["status"] == "ok"
    with project.acting("authenticated", AGENT_A) as connection:
        told = manifest(connection).models["calling_score"]

    assert (told.active.weight, told.active.traffic) == (0.1, 1.0)
    assert (told.rolling_out.weight, told.rolling_out.traffic, told.rolling_out.stage) == (0.3, 0.1, 1)
    same = {"version", "url", "sha256", "size_bytes", "filter_on"}
    assert told.rolling_out.model_dump(include=same) == told.active.model_dump(include=same)


def test_the_phone_is_told_the_stage_and_share_that_a_rollout_has_and_nothing_of_one_that_is_over(project):
    with project.service() as connection:
        for number in range(2):
            register(connection, number)
        promote(connection, 0)
        rollout = start_rollout(connection, "v1.1-real")["rollout"]
        salts = set()
        for action, expected in (("widened", (2, 0.5)), ("paused", (2, 0.5)), ("rolled_back", None)):
            rollout = change_rollout(connection, rollout, action)["rollout"]
            told = manifest(connection).models["calling_score"].rolling_out
            assert (told and (told.stage, told.traffic)) == expected
            salts |= {told.salt} if told else set()
    assert salts == {rollout["salt"]}


def test_a_version_with_traffic_of_before_there_were_rollouts_is_offered_to_nobody(project):
    with project.service() as connection:
        register(connection, 0)
    with project.owner() as connection:
        connection.execute("update public.model_versions set traffic = 0.25")
    with project.acting("authenticated", AGENT_A) as connection:
        assert manifest(connection).models["calling_score"] == PhoneModel(active=None, rolling_out=None)


def test_a_phone_reads_no_table_of_rollouts(project):
    with project.acting("authenticated", AGENT_A) as connection:
        for table in ("rollouts", "rollout_events", "rollout_looks", "rollout_units"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"select 1 from public.{table}")
    with project.acting("anon") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("select * from private.rollouts_on_their_way()")


def test_without_versions_every_model_is_told_to_have_none(shared):
    with shared.service() as connection:
        assert set(manifest(connection).models.values()) == {PhoneModel(active=None, rolling_out=None)}


def register(connection, number, model_type="calling_score"):
    sent = content(f"{number}", f"v1.{number}-real", model_type)
    file = model_file(sent)
    call(connection, "register_model_version", p_content=sent, p_watermark=None, p_at=START, p_actor="test", **file)
    return file["p_file_path"]


def change(connection, function, number, **values):
    bless(connection, "calling_score", f"v1.{number}-real")
    call(
        connection,
        function,
        p_model_type="calling_score",
        p_version=f"v1.{number}-real",
        p_at=START,
        p_actor="test",
        p_reason="",
        **values,
    )


def promote(connection, number):
    change(connection, "promote_model_version", number)


def manifest(connection):
    document = connection.execute("select public.phone_manifest() as document").fetchone()["document"]
    return PhoneManifest.from_bytes(json.dumps(document).encode())
