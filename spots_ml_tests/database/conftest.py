"""Databases of `server`: every test runs on the oldest Postgres that is installed and on the newest."""

from itertools import count

import pytest

from spots_ml.settings import PROJECT_ROOT
from spots_ml_tests.database.roles import Database
from spots_ml_tests.places import MIGRATED


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


@pytest.fixture(scope="session")
def supabase_cli():
    """The official command line, as `make unit` installs it."""
    found = next(PROJECT_ROOT.glob(".node-cli/node_modules/@supabase/cli-*/bin/supabase"), None)
    assert found is not None, "the Supabase CLI is not installed; `make .node-cli/.ready` installs it"
    return found
