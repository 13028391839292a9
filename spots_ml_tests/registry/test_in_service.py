"""What answers now, since which change, what did before, and where a rollback leads."""

import pytest

from spots_ml.registry.in_service import in_service, nothing_active
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.registry.blessing import bless
from spots_ml_tests.registry.building import hours
from spots_ml_tests.stores.keeping_rollouts import start
from spots_ml_tests.stores.keeping_versions import (
    MODEL,
    archive,
    fill,
    promote,
    rollback,
    unarchive,
    withdraw,
)

A, B, C = "v1.0-synthetic", "v1.1-synthetic", "v1.2-synthetic"


@pytest.fixture
def store(tmp_path):
    store = embedded_store(tmp_path / "store.sqlite")
    fill(store, "a", "b", "c")
    return store


def told(store):
    found = in_service(store.versions, MODEL)
    live = found.live and found.live.version
    since = found.since and (found.since.sequence, found.since.action, found.since.actor)
    assert (found.since_sequence, found.since_at) == (
        found.since and found.since.sequence,
        found.since and found.since.at,
    )
    return live, since, found.before, found.back_to


def test_before_anything_was_promoted(store):
    assert told(store) == (None, None, None, ())
    found = in_service(store.versions, MODEL)
    first = f"`spots-ml bless {MODEL} {C}`, then `spots-ml promote {MODEL} {C}`"
    assert (found.candidates, found.way_to_promote) == ((C, B, A), first)
    bless(store.versions, MODEL, C)
    assert in_service(store.versions, MODEL).way_to_promote == f"`spots-ml promote {MODEL} {C}`"
    bless(store.versions, MODEL, C, passed=False)
    assert in_service(store.versions, MODEL).way_to_promote == first


def test_a_life_is_told_after_each_change(store):
    promote(store, 0)
    assert told(store) == (A, (4, "promoted", "ann"), None, ())
    promote(store, 1, at=-900)  # whatever a clock says
    assert told(store) == (B, (6, "promoted", "ann"), A, (A,))
    promote(store, 2)
    assert told(store) == (C, (8, "promoted", "ann"), B, (B, A))
    rollback(store)
    assert told(store) == (B, (10, "restored", "bob"), C, (A,))
    promote(store, 2)
    archive(store, 1)
    assert told(store) == (C, (12, "promoted", "ann"), B, (A,))
    withdraw(store)
    assert told(store) == (None, (14, "withdrawn", "fay"), C, ())
    promote(store, 0)
    assert told(store) == (A, (15, "promoted", "ann"), None, ())
    rollback(store)
    assert told(store) == (None, (16, "rolled_back", "bob"), A, ())


@pytest.mark.parametrize("steps", [[0, 1, 0, 2], [0, 1, 2], [2, 0, 2, 1, 0]])
def test_rolling_back_leads_where_it_is_told_to_lead(store, steps):
    for number in steps:
        promote(store, number)
    expected = [*in_service(store.versions, MODEL).back_to, None]
    found = []
    while in_service(store.versions, MODEL).live is not None:
        rollback(store)
        live = in_service(store.versions, MODEL).live
        found.append(live and live.version)
    assert found == expected


def test_what_may_be_promoted_begins_with_what_is_in_staging_and_leaves_out_the_archive(store):
    promote(store, 2)
    rollback(store)
    archive(store, 1)
    found = in_service(store.versions, MODEL)
    assert (found.candidates, found.way_to_promote) == (
        (A, C),
        f"`spots-ml bless {MODEL} {A}`, then `spots-ml promote {MODEL} {A}`",
    )
    archive(store, 0)
    unarchive(store, 1)
    assert in_service(store.versions, MODEL).candidates == (B, C)


def test_a_version_that_was_rolled_back_is_blessed_anew_before_it_is_promoted(store):
    promote(store, 2)
    archive(store, 0)
    archive(store, 1)
    assert in_service(store.versions, MODEL).way_to_promote is None
    bless_and_promote = f'`spots-ml bless {MODEL} {C}`, then `spots-ml promote {MODEL} {C} --reason "..."`'
    rollback(store)
    found = in_service(store.versions, MODEL)
    assert nothing_active(found) == f"no {MODEL} version is active; {bless_and_promote} makes one active"
    bless(store.versions, MODEL, C)
    promote_alone = f'`spots-ml promote {MODEL} {C} --reason "..."`'
    assert in_service(store.versions, MODEL).way_to_promote == promote_alone
    store.versions.promote(MODEL, C, now=hours(99), actor="ann", reason="compared anew")
    withdraw(store)
    assert in_service(store.versions, MODEL).way_to_promote == promote_alone


def test_what_is_rolled_out_is_told(store):
    promote(store, 0)
    start(store, 1)
    assert in_service(store.versions, MODEL).rolling_out.version == B
