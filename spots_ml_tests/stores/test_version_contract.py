"""What every registry promises, whatever it keeps its versions in."""

import contextlib

import numpy as np
import pytest

from spots_ml.errors import GateError, RegistryError
from spots_ml.stores.embedded.store import EmbeddedStore
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml_tests.registry.building import all_verdicts, hours, make_candidate
from spots_ml_tests.stores.keeping_versions import MODEL, archive, fill, promote, rollback


@contextlib.contextmanager
def another_over(store):
    """Another store object over what this one keeps, as another process would open it."""
    if isinstance(store, EmbeddedStore):
        yield EmbeddedStore(store.path)
    else:
        with Calls(store._calls.connection, random=np.random.default_rng(2)) as calls:
            yield type(store)(calls)


def statuses(store):
    return [one.status for one in store.list_versions(MODEL)]


def test_an_empty_registry_answers_emptily(store):
    assert store.list_versions() == ()
    assert store.history() == ()
    assert store.newest(MODEL) is None
    assert store.find_content(MODEL, "0" * 64) is None


def test_a_registered_version_is_read_back_as_it_was_offered(store):
    candidate = make_candidate(watermark="3/4")
    registered = store.register(candidate, now=hours(1), actor="test").version

    assert store.get(MODEL, "v1.0-synthetic") == registered
    assert registered.model_dump(include=set(type(candidate.content).model_fields)) == candidate.content.model_dump()
    assert (registered.watermark, registered.created_at, registered.updated_at) == ("3/4", hours(1), hours(1))


def test_models_count_their_versions_apart(store):
    store.register(make_candidate("a"), now=hours(0), actor="test")
    store.register(make_candidate("b", model_type="outcome"), now=hours(0), actor="test")

    assert [one.model_type for one in store.list_versions()] == [MODEL, "outcome"]
    assert len(store.list_versions("outcome")) == 1
    assert store.propose_version("outcome", "0" * 64, "real") == "v1.1-real"


def test_proposing_reserves_nothing_and_knows_known_content(store):
    candidate = make_candidate("a")

    assert store.propose_version(MODEL, "0" * 64, "hybrid") == "v1.0-hybrid"
    assert store.propose_version(MODEL, "0" * 64, "hybrid") == "v1.0-hybrid"
    store.register(candidate, now=hours(0), actor="test")
    assert store.propose_version(MODEL, candidate.content.content_digest, "synthetic") == "v1.0-synthetic"
    assert store.propose_version(MODEL, "0" * 64, "hybrid", also_taken=["v1.7-real"]) == "v1.8-hybrid"


def test_other_content_under_a_taken_name_is_refused(store):
    fill(store, "a")

    with pytest.raises(RegistryError, match="belongs to something else"):
        store.register(make_candidate("b"), now=hours(1), actor="test")


def test_the_gates_cannot_be_stepped_around_by_asking_the_store(store):
    with pytest.raises(GateError):
        store.register(make_candidate(verdicts=all_verdicts()[:2]), now=hours(0), actor="test")
    assert store.list_versions() == ()


def test_the_newest_version_is_the_one_registered_last_reaffirming_counts(store):
    fill(store, "a", "b")
    assert store.newest(MODEL).version == "v1.1-synthetic"

    store.register(make_candidate("a"), now=hours(5), actor="test")
    assert store.newest(MODEL).version == "v1.0-synthetic"


def test_reaffirming_without_a_watermark_keeps_the_old_one(store):
    store.register(make_candidate(watermark="3/4"), now=hours(0), actor="test")
    store.register(make_candidate(), now=hours(1), actor="test")

    assert store.newest(MODEL).watermark == "3/4"


def test_a_version_that_does_not_exist_is_an_error_that_lists_those_that_do(store):
    fill(store, "a")

    for change in (lambda: store.get(MODEL, "v9.9-real"), lambda: archive(store, 9), lambda: promote(store, 9)):
        with pytest.raises(RegistryError, match=r"registered are: v1\.0-synthetic"):
            change()


def test_promotion_makes_the_version_active_and_deprecates_the_active_one(store):
    fill(store, "a", "b")

    assert promote(store, 0).status == "active"
    assert promote(store, 1).status == "active"
    assert statuses(store) == ["deprecated", "active"]


def test_only_staging_versions_can_be_promoted(store):
    fill(store, "a", "b", "c")
    promote(store, 0)
    with pytest.raises(RegistryError, match="active already"):
        promote(store, 0)
    promote(store, 1)
    with pytest.raises(RegistryError, match="is deprecated; only a staging version"):
        promote(store, 0)
    archive(store, 2)
    with pytest.raises(RegistryError, match="is archived"):
        promote(store, 2)
    assert statuses(store) == ["deprecated", "active", "archived"]


def test_rollback_goes_to_the_previously_active_version_not_the_newest_one(store):
    fill(store, "a", "b", "c", "d")
    for number in (2, 0, 3):
        promote(store, number)

    assert rollback(store) == "v1.0-synthetic"
    assert rollback(store) == "v1.2-synthetic"
    with pytest.raises(RegistryError, match="no version was active"):
        rollback(store)
    assert statuses(store) == ["deprecated", "staging", "active", "deprecated"]


def test_rollback_passes_over_archived_versions(store):
    fill(store, "a", "b", "c")
    for number in range(3):
        promote(store, number)
    archive(store, 1)

    assert rollback(store) == "v1.0-synthetic"


def test_rollback_without_an_active_version_is_refused(store):
    fill(store, "a")

    with pytest.raises(RegistryError, match="no version of calling_score is active"):
        rollback(store)


def test_archiving_takes_staging_and_deprecated_versions_only(store):
    fill(store, "a", "b", "c")
    promote(store, 0)
    promote(store, 1)

    assert archive(store, 0).status == "archived"
    assert archive(store, 2).status == "archived"
    with pytest.raises(RegistryError, match="is active and cannot be archived"):
        archive(store, 1)
    with pytest.raises(RegistryError, match="archived already"):
        archive(store, 0)


def test_every_change_is_in_the_history_with_time_actor_and_reason(store):
    fill(store, "a", "b")
    promote(store, 0, at=10)
    promote(store, 1, at=11)
    rollback(store, at=12)
    archive(store, 1, at=13)

    told = [
        (entry.version[:4], entry.action, entry.from_status, entry.to_status, entry.actor, entry.reason, entry.at)
        for entry in store.history(MODEL)
    ]
    assert told == [
        ("v1.0", "registered", None, "staging", "test", "", hours(0)),
        ("v1.1", "registered", None, "staging", "test", "", hours(1)),
        ("v1.0", "promoted", "staging", "active", "ann", "better", hours(10)),
        ("v1.0", "superseded", "active", "deprecated", "ann", "better", hours(11)),
        ("v1.1", "promoted", "staging", "active", "ann", "better", hours(11)),
        ("v1.1", "rolled_back", "active", "deprecated", "bob", "worse", hours(12)),
        ("v1.0", "restored", "deprecated", "active", "bob", "worse", hours(12)),
        ("v1.1", "archived", "deprecated", "archived", "cem", "old", hours(13)),
    ]
    assert store.history(MODEL, "v1.1-synthetic") == tuple(
        entry for entry in store.history() if entry.version == "v1.1-synthetic"
    )


def test_a_refused_change_changes_nothing(store):
    fill(store, "a", "b")
    promote(store, 0)
    before = store.list_versions(), store.history()

    with pytest.raises(RegistryError):
        archive(store, 0)

    assert (store.list_versions(), store.history()) == before


def test_another_model_is_never_touched(store):
    fill(store, "a", "b")
    store.register(make_candidate("x", model_type="outcome"), now=hours(0), actor="test")
    store.promote("outcome", "v1.0-synthetic", now=hours(1), actor="test", reason="")
    promote(store, 1)

    assert [one.status for one in store.list_versions("outcome")] == ["active"]


def test_what_one_store_object_wrote_another_one_reads(store):
    fill(store, "a")

    with another_over(store) as other:
        assert other.list_versions() == store.list_versions()
