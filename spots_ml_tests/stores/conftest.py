"""One fixture per kind of store: every check of the contract runs over each of them."""

import pytest

from spots_ml.stores.embedded import EmbeddedStore

STORES = {"embedded": lambda folder: EmbeddedStore(folder / "store.sqlite")}


@pytest.fixture(params=list(STORES))
def store(request, tmp_path):
    return STORES[request.param](tmp_path)


@pytest.fixture
def embedded(tmp_path):
    return EmbeddedStore(tmp_path / "store.sqlite")
