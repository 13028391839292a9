"""Every test runs on the oldest Postgres that is installed and on the newest."""

from itertools import count

import pytest

from spots_ml_tests.database.postgres import NEWEST_MAJOR, apply_migrations, running
from spots_ml_tests.database.roles import Database

MIGRATED = "migrated"


@pytest.fixture(scope="session", params=[None, NEWEST_MAJOR], ids=["oldest", "newest"])
def server(request):
    """A server with a database in which all migrations are applied; others are made after its model."""
    with running(request.param) as server:
        server.create_project(MIGRATED)
        apply_migrations(server.url(MIGRATED))
        yield server


@pytest.fixture(scope="session")
def numbers():
    return count(1)


@pytest.fixture
def empty_project(server, numbers):
    """A project before its first migration."""
    name = f"project_{next(numbers)}"
    server.create_project(name)
    yield Database(server, name)
    server.drop_database(name)


@pytest.fixture(scope="session")
def shared(server):
    """A migrated database for tests that leave it as it is."""
    name = "shared"
    server.create_database(name, template=MIGRATED)
    yield Database(server, name)
    server.drop_database(name)


@pytest.fixture
def database(server, numbers):
    """A migrated database that nobody else writes."""
    name = f"database_{next(numbers)}"
    server.create_database(name, template=MIGRATED)
    yield Database(server, name)
    server.drop_database(name)
