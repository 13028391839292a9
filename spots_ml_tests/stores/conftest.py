"""One fixture per kind of store: every check of the contract runs over each of them."""

from itertools import count

import pytest

from spots_ml.stores.embedded import EmbeddedStore

STORES = {"embedded": lambda folder: EmbeddedStore(folder / "store.sqlite")}


@pytest.fixture(params=list(STORES))
def store(request, tmp_path):
    return STORES[request.param](tmp_path)


@pytest.fixture(params=list(STORES))
def new_store(request, tmp_path):
    """Make empty stores, as many as a property needs."""
    numbers = count()
    return lambda: STORES[request.param](tmp_path / str(next(numbers)))


@pytest.fixture
def embedded(tmp_path):
    return EmbeddedStore(tmp_path / "store.sqlite")
