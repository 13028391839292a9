"""When versions were in service, by the history that the registry keeps."""

import numpy as np
import pytest

from spots_ml.registry.service import service_periods
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.registry.blessing import promote_blessed
from spots_ml_tests.registry.building import hours, make_candidate
from spots_ml_tests.stores.keeping_rollouts import alter, start

MODEL = "calling_score"
CHANGE = {"actor": "a test", "reason": ""}


@pytest.fixture
def whole(tmp_path):
    return embedded_store(tmp_path / "store.sqlite")


@pytest.fixture
def store(whole):
    return whole.versions


def moments(*numbers):
    return np.array([np.datetime64(hours(number).replace(tzinfo=None), "us") for number in numbers])


def served(store, version, *numbers, model=MODEL):
    return service_periods(store.history()).covers(model, version, moments(*numbers)).tolist()


def test_a_version_serves_from_its_promotion_to_what_replaces_it(store):
    store.register(make_candidate("a", "v1.0-real"), now=hours(0), actor="a test")
    store.register(make_candidate("b", "v1.1-real"), now=hours(1), actor="a test")
    promote_blessed(store, MODEL, "v1.0-real", now=hours(2), **CHANGE)
    promote_blessed(store, MODEL, "v1.1-real", now=hours(4), **CHANGE)
    store.rollback(MODEL, now=hours(6), **CHANGE)

    assert served(store, "v1.0-real", 1, 2, 3, 4, 5, 6, 99) == [False, True, True, False, False, True, True]
    assert served(store, "v1.1-real", 1, 3, 4, 5, 6) == [False, False, True, True, False]
    assert served(store, "v9.9-real", 1) == served(store, "v1.0-real", 3, model="outcome") == [False]


def test_a_challenger_serves_while_it_is_rolled_out_paused_or_not(whole, store):
    store.register(make_candidate("a", "v1.0-real"), now=hours(0), actor="a test")
    promote_blessed(store, MODEL, "v1.0-real", now=hours(1), **CHANGE)
    store.register(make_candidate("b", "v1.1-real"), now=hours(1), actor="a test")
    rollout = start(whole, version="v1.1-real", at=2)
    rollout = alter(whole, alter(whole, rollout, "widened", at=3), "paused", at=3)
    alter(whole, rollout, "rolled_back", at=4)

    assert served(store, "v1.1-real", 1, 2, 3, 4) == [False, True, True, False]


def test_what_was_promoted_on_a_clock_ahead_serves_by_the_clocks_of_the_changes_after_it(store):
    store.register(make_candidate("a", "v1.0-real"), now=hours(0), actor="a test")
    promote_blessed(store, MODEL, "v1.0-real", now=hours(240), **CHANGE)
    assert served(store, "v1.0-real", 3, 240) == [False, True]

    store.register(make_candidate("b", "v1.1-real"), now=hours(1), actor="a test")
    promote_blessed(store, MODEL, "v1.1-real", now=hours(4), **CHANGE)
    assert served(store, "v1.0-real", 0, 1, 3, 239, 240) == [False, True, True, True, False]
    assert served(store, "v1.1-real", 3, 4, 241) == [False, True, True]


def test_what_was_replaced_on_a_clock_behind_served_until_the_latest_moment_before(store):
    store.register(make_candidate("a", "v1.0-real"), now=hours(0), actor="a test")
    promote_blessed(store, MODEL, "v1.0-real", now=hours(2), **CHANGE)
    store.register(make_candidate("b", "v1.1-real"), now=hours(9), actor="a test")
    promote_blessed(store, MODEL, "v1.1-real", now=hours(-240), **CHANGE)

    assert served(store, "v1.0-real", 3, 8, 9) == [True, True, False]
    assert served(store, "v1.1-real", -241, -240, 9) == [False, True, True]


def test_what_was_promoted_on_a_clock_ahead_serves_by_the_clock_of_the_store(store):
    store.register(make_candidate("a", "v1.0-real"), now=hours(0), actor="a test")
    promote_blessed(store, MODEL, "v1.0-real", now=hours(240), **CHANGE)
    *before, promoted = store.history()
    noted = promoted.model_copy(update={"noted_at": hours(2)})

    covered = service_periods([*before, noted]).covers(MODEL, "v1.0-real", moments(1, 2, 239))
    assert covered.tolist() == [False, True, True]


def test_without_a_history_nothing_was_in_service():
    assert service_periods([]).periods == {}
