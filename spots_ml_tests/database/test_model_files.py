"""The bucket of the models, in a project that has Supabase's storage."""

import pytest

from spots_ml_tests.database.postgres import apply_migrations
from spots_ml_tests.database.roles import AGENT_A, START, Database, call, content


@pytest.fixture
def project(server, numbers):
    name = f"storage_{next(numbers)}"
    server.create_project(name, "storage.sql")
    apply_migrations(server.url(name))
    return Database(server, name)


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
        for number in range(3):
            path = f"calling_score/v1.{number}-real/model.onnx"
            call(
                connection,
                "register_model_version",
                p_content=content(f"{number}", f"v1.{number}-real"),
                p_watermark=None,
                p_at=START,
                p_actor="test",
                p_file_path=path,
                p_size_bytes=60_000,
                p_client_runtime_floor="1.15.1",
            )
            for bucket in ("models", "photos"):
                connection.execute("insert into storage.objects (bucket_id, name) values (%s, %s)", (bucket, path))
        assert names_seen(project, "authenticated", AGENT_A) == []

        call(
            connection,
            "promote_model_version",
            p_model_type="calling_score",
            p_version="v1.1-real",
            p_at=START,
            p_actor="test",
            p_reason="",
        )
    assert names_seen(project, "authenticated", AGENT_A) == ["calling_score/v1.1-real/model.onnx"]
    assert names_seen(project, "anon") == []
    assert len(names_seen(project, "service_role")) == 6
