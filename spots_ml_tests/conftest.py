"""Fixtures that every part's tests share."""

import os
from pathlib import Path

import pytest

from spots_ml_tests.database.clock import without_clock
from spots_ml_tests.places import MIGRATED, REFERENCE_DIR


@pytest.fixture(scope="session")
def reference_dir() -> Path:
    """The folder with the real exports; tests that need it are skipped where it is not laid out."""
    if not REFERENCE_DIR.is_dir():
        pytest.skip(f"the real exports are not here: {REFERENCE_DIR}")
    return REFERENCE_DIR


@pytest.fixture(scope="session", params=["oldest", "newest"])
def server(request):
    """A Postgres with all migrations: the oldest that is installed, in CI that is supported, and the newest."""
    from spots_ml.local_supabase.installed_postgres import NEWEST_MAJOR, OLDEST_MAJOR
    from spots_ml.local_supabase.postgres import running
    from spots_ml.stores.supabase.migrations.account import apply_migrations

    oldest = OLDEST_MAJOR if os.environ.get("CI") else None
    with running(NEWEST_MAJOR if request.param == "newest" else oldest) as server:
        server.create_project(MIGRATED)
        apply_migrations(server.url(MIGRATED))
        with server.connect(MIGRATED, autocommit=True) as connection:
            without_clock(connection)
        yield server


@pytest.fixture(scope="session")
def local_project():
    """A running Supabase project, with whatever the last test left in it; `project` is an empty one."""
    from spots_ml.local_supabase.stack import project_running

    with project_running() as project:
        with project.server.connect(project.database, autocommit=True) as connection:
            without_clock(connection)
        yield project


@pytest.fixture
def project(local_project):
    """A running Supabase project without rows."""
    local_project.empty()
    return local_project
