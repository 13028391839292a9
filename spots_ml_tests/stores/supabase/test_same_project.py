import pytest

from spots_ml.errors import ConfigError
from spots_ml.stores.supabase.migrations.account import apply_migrations
from spots_ml.stores.supabase.postgres.same_project import compare_projects
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.connection import SupabaseConnection
from spots_ml_tests.database.roles import insert, interaction, outcome

REF, OTHER = "a" * 20, "b" * 20


@pytest.fixture
def calls(project):
    import numpy as np

    with Calls(SupabaseConnection(project.url, project.keys.secret), random=np.random.default_rng(1)) as calls:
        yield calls


def add(project, n):
    with project.server.connect(project.database, autocommit=True) as connection:
        for at in range(n):
            insert(connection, "calling_score_training_data", **interaction(at=at) | outcome(at=at + 1))


def test_one_project_is_recognised_by_what_has_arrived(project, calls):
    add(project, 2)
    found = compare_projects(calls, project.dsn)

    assert found.same
    assert "2 interactions and 2 labels" in found.detail


def test_another_database_behind_the_dsn_is_found_out(project, calls):
    add(project, 1)
    project.server.create_project("elsewhere")
    try:
        apply_migrations(project.server.url("elsewhere"))
        found = compare_projects(calls, project.server.url("elsewhere"))
    finally:
        project.server.drop_database("elsewhere")

    assert not found.same
    assert found.detail.endswith("in Postgres 0 and 0")


def test_two_empty_projects_are_said_to_look_alike(project, calls):
    found = compare_projects(calls, project.dsn)
    assert found.same and "cannot be told apart" in found.detail


@pytest.mark.parametrize(
    "dsn",
    [
        f"postgresql://postgres:pw@db.{OTHER}.supabase.co:5432/postgres",
        f"postgresql://postgres.{OTHER}:pw@aws-0-eu-central-1.pooler.supabase.com:5432/postgres",
    ],
)
def test_addresses_that_name_two_projects_are_not_even_asked(dsn):
    import numpy as np

    hosted = SupabaseConnection(f"https://{REF}.supabase.co", "sb_secret_1")
    with Calls(hosted, random=np.random.default_rng(1)) as calls:
        found = compare_projects(calls, dsn)
    assert not found.same
    assert REF in found.detail and OTHER in found.detail


def test_an_address_that_is_none_is_told(calls):
    with pytest.raises(ConfigError):
        compare_projects(calls, "postgres")
