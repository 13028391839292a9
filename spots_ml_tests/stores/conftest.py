"""One fixture per kind of store: every check of the contract runs over each of them.

`supabase` does everything over the API of a local project; `postgres` is the same with bulk reads straight from its
Postgres.
"""

from itertools import count

import numpy as np
import pytest

from spots_ml.stores.embedded.store import embedded_store
from spots_ml.stores.supabase.postgres.bulk_read import DirectReads
from spots_ml.stores.supabase.store import supabase_store
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.connection import SupabaseConnection

STORES = ("embedded", "supabase", "postgres")


@pytest.fixture
def calls(project):
    with Calls(SupabaseConnection(project.url, project.keys.secret), random=np.random.default_rng(1)) as calls:
        yield calls


@pytest.fixture(params=STORES)
def new_store(request, tmp_path):
    """Make empty stores, as many as a property needs; on Supabase the one before is emptied."""
    if request.param == "embedded":
        numbers = count()
        return lambda: embedded_store(tmp_path / f"{next(numbers)}.sqlite")
    project, calls = request.getfixturevalue("project"), request.getfixturevalue("calls")
    direct = DirectReads(project.dsn) if request.param == "postgres" else None

    def make():
        project.empty()
        return supabase_store(calls, direct)

    return make


@pytest.fixture
def store(new_store):
    return new_store()


@pytest.fixture
def embedded(tmp_path):
    return embedded_store(tmp_path / "store.sqlite")
