"""What every registry promises, whatever it keeps its versions in."""

import contextlib

import numpy as np
import pytest

from spots_ml.errors import GateError, RegistryError
from spots_ml.registry.lifecycle import TRANSITIONS
from spots_ml.registry.records import STATUSES
from spots_ml.stores.embedded.registry.versions import EmbeddedVersionStore
from spots_ml.stores.embedded.store import embedded_store
from spots_ml.stores.supabase.store import supabase_store
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml_tests.registry.blessing import promote_blessed
from spots_ml_tests.registry.building import all_verdicts, hours, make_candidate
from spots_ml_tests.stores.behind import calls_of, file_of
from spots_ml_tests.stores.keeping_versions import (
    MODEL,
    archive,
    fill,
    promote,
    rollback,
    take_back,
    unarchive,
    weigh,
    withdraw,
)


@contextlib.contextmanager
def another_over(store):
    """Another store object over what this one keeps, as another process would open it."""
    if isinstance(store.versions, EmbeddedVersionStore):
        yield embedded_store(file_of(store))
    else:
        with Calls(calls_of(store).connection, random=np.random.default_rng(2)) as calls:
            yield supabase_store(calls)


def statuses(store):
    return [one.status for one in store.versions.list_versions(MODEL)]


def test_an_empty_registry_answers_emptily(store):
    assert store.versions.list_versions() == ()
    assert store.versions.history() == ()
    assert store.versions.newest(MODEL) is None
    assert store.versions.find_content(MODEL, "0" * 64) is None


def test_a_registered_version_is_read_back_as_it_was_offered(store):
    candidate = make_candidate(watermark="3/4")
    registered = store.versions.register(candidate, now=hours(1), actor="test").version

    assert store.versions.get(MODEL, "v1.0-synthetic") == registered
    assert registered.model_dump(include=set(type(candidate.content).model_fields)) == candidate.content.model_dump()
    assert (registered.watermark, registered.created_at, registered.updated_at) == ("3/4", hours(1), hours(1))


def test_a_filter_that_is_off_is_kept_off_and_every_other_one_is_on(store):
    off = make_candidate("off", "v1.0-synthetic", "outcome", filter_on=False)
    on = make_candidate("on", "v1.1-synthetic", "outcome")
    for number, candidate in enumerate((off, on, off)):
        store.versions.register(candidate, now=hours(number), actor="test")
    told = {one.version: one.filter_on for one in store.versions.list_versions("outcome")}
    assert told == {"v1.0-synthetic": False, "v1.1-synthetic": True}
    promoted = promote_blessed(store.versions, "outcome", "v1.0-synthetic", now=hours(3), actor="ann", reason="")
    assert not promoted.filter_on


def test_models_count_their_versions_apart(store):
    store.versions.register(make_candidate("a"), now=hours(0), actor="test")
    store.versions.register(make_candidate("b", model_type="outcome"), now=hours(0), actor="test")

    assert [one.model_type for one in store.versions.list_versions()] == [MODEL, "outcome"]
    assert len(store.versions.list_versions("outcome")) == 1
    assert store.versions.propose_version("outcome", "0" * 64, "real") == "v1.1-real"


def test_proposing_reserves_nothing_and_knows_known_content(store):
    candidate = make_candidate("a")

    assert store.versions.propose_version(MODEL, "0" * 64, "hybrid") == "v1.0-hybrid"
    assert store.versions.propose_version(MODEL, "0" * 64, "hybrid") == "v1.0-hybrid"
    store.versions.register(candidate, now=hours(0), actor="test")
    assert store.versions.propose_version(MODEL, candidate.content.content_digest, "synthetic") == "v1.0-synthetic"
    assert store.versions.propose_version(MODEL, "0" * 64, "hybrid", also_taken=["v1.7-real"]) == "v1.8-hybrid"


def test_other_content_under_a_taken_name_is_refused(store):
    fill(store, "a")

    with pytest.raises(RegistryError, match="belongs to something else"):
        store.versions.register(make_candidate("b"), now=hours(1), actor="test")


def test_the_gates_cannot_be_stepped_around_by_asking_the_store(store):
    with pytest.raises(GateError):
        store.versions.register(make_candidate(verdicts=all_verdicts()[:2]), now=hours(0), actor="test")
    assert store.versions.list_versions() == ()


def test_the_newest_version_is_the_one_registered_last_reaffirming_counts(store):
    fill(store, "a", "b")
    assert store.versions.newest(MODEL).version == "v1.1-synthetic"

    store.versions.register(make_candidate("a"), now=hours(5), actor="test")
    assert store.versions.newest(MODEL).version == "v1.0-synthetic"


def register_at(store, name, number, at, watermark=None):
    candidate = make_candidate(name, f"v1.{number}-synthetic", watermark=watermark)
    return store.versions.register(candidate, now=hours(at), actor="test").version


def test_a_version_registered_on_a_clock_that_was_ahead_does_not_stay_the_newest(store):
    register_at(store, "a", 0, at=0)
    register_at(store, "ahead", 1, at=24 * 10)
    register_at(store, "b", 2, at=1)
    assert store.versions.newest(MODEL).version == "v1.2-synthetic"

    register_at(store, "a", 0, at=-24)
    assert store.versions.newest(MODEL).version == "v1.0-synthetic"


def test_versions_are_numbered_by_their_entries_in_the_history(store):
    fill(store, "a", "b")
    promote(store, 0)
    register_at(store, "a", 0, at=-5)

    history = store.versions.history()
    told = {one.version: one.last_registered_sequence for one in store.versions.list_versions()}
    assert told == {"v1.0-synthetic": history[3].sequence, "v1.1-synthetic": history[1].sequence}
    assert [entry.sequence for entry in history] == sorted({entry.sequence for entry in history})


def test_the_newest_that_learned_from_a_store_is_not_whichever_is_newest(store):
    register_at(store, "a", 0, at=9, watermark="3/4")
    register_at(store, "b", 1, at=8, watermark="supabase:7/8")
    register_at(store, "c", 2, at=7, watermark="5/6")
    register_at(store, "d", 3, at=6)

    assert store.versions.newest(MODEL).version == "v1.3-synthetic"
    assert store.versions.newest(MODEL, learned_from="embedded").version == "v1.2-synthetic"
    assert store.versions.newest(MODEL, learned_from="supabase").version == "v1.1-synthetic"
    assert store.versions.newest("outcome", learned_from="embedded") is None


def test_reaffirming_without_a_watermark_keeps_the_old_one(store):
    store.versions.register(make_candidate(watermark="3/4"), now=hours(0), actor="test")
    store.versions.register(make_candidate(), now=hours(1), actor="test")

    assert store.versions.newest(MODEL).watermark == "3/4"


def test_a_version_that_does_not_exist_is_an_error_that_lists_those_that_do(store):
    fill(store, "a")

    for change in (
        lambda: store.versions.get(MODEL, "v9.9-real"),
        lambda: archive(store, 9),
        lambda: promote(store, 9),
    ):
        with pytest.raises(RegistryError, match=r"registered are: v1\.0-synthetic"):
            change()


def test_promotion_makes_the_version_active_and_deprecates_the_active_one(store):
    fill(store, "a", "b")

    assert promote(store, 0).status == "active"
    assert promote(store, 1).status == "active"
    assert statuses(store) == ["deprecated", "active"]


def test_an_active_version_is_not_promoted_and_an_archived_one_not_before_it_is_unarchived(store):
    fill(store, "a", "b")
    promote(store, 0)
    with pytest.raises(RegistryError, match="active already"):
        promote(store, 0)
    archive(store, 1)
    with pytest.raises(RegistryError, match=r"archived .*`spots-ml unarchive calling_score v1\.1-synthetic --reason"):
        promote(store, 1)
    assert statuses(store) == ["active", "archived"]


def test_a_version_that_was_rolled_back_comes_back_by_promotion_with_a_reason(store):
    fill(store, "a", "b")
    promote(store, 0)
    promote(store, 1)
    rollback(store)
    with pytest.raises(RegistryError, match=r"before it was taken back, and not since; `spots-ml bless"):
        store.versions.promote(MODEL, "v1.1-synthetic", now=hours(21), actor="ann", reason="")
    with pytest.raises(RegistryError, match=r"say why .*: `spots-ml promote calling_score v1\.1-synthetic --reason"):
        promote_blessed(store.versions, MODEL, "v1.1-synthetic", now=hours(21), actor="ann", reason=" ")

    assert promote(store, 1, at=22).status == "active"
    assert statuses(store) == ["deprecated", "active"]
    assert rollback(store, at=23) == "v1.0-synthetic"


def test_the_first_active_version_is_rolled_back_to_none(store):
    fill(store, "a")
    promote(store, 0)

    assert rollback(store) == "v1.0-synthetic"
    assert statuses(store) == ["deprecated"]
    assert [entry.action for entry in store.versions.history()] == ["registered", "promoted", "rolled_back"]
    assert promote(store, 0).status == "active"


def test_one_that_is_named_is_taken_back_to_the_one_that_is_named_whatever_lies_between(store):
    fill(store, "a", "b", "c")
    for number in range(3):
        promote(store, number)

    assert take_back(store, 2, instead=0).version == "v1.0-synthetic"
    assert statuses(store) == ["active", "deprecated", "deprecated"]
    assert [(entry.version, entry.action, entry.actor) for entry in store.versions.history()[-2:]] == [
        ("v1.2-synthetic", "rolled_back", "eli"),
        ("v1.0-synthetic", "restored", "eli"),
    ]
    assert rollback(store) == "v1.0-synthetic"
    assert statuses(store) == ["deprecated"] * 3


def test_two_who_take_the_same_version_back_take_back_one(store):
    fill(store, "a", "b", "c")
    for number in range(3):
        promote(store, number)
    take_back(store, 2, instead=1)
    with pytest.raises(RegistryError, match=r"v1\.2-synthetic is not the active version \(that is v1\.1-synthetic\)"):
        take_back(store, 2, instead=1)
    assert statuses(store) == ["deprecated", "active", "deprecated"]


def test_a_version_gives_way_to_none_and_never_to_one_that_was_not_before_it_or_without_a_reason(store):
    fill(store, "a", "b")
    promote(store, 0)
    for wrong in (0, 1):
        with pytest.raises(RegistryError, match="cannot answer in its place"):
            take_back(store, 0, instead=wrong)
    with pytest.raises(RegistryError, match="say why"):
        take_back(store, 0, reason=" ")
    assert take_back(store, 0).status == "deprecated"
    assert statuses(store) == ["deprecated", "staging"]
    with pytest.raises(RegistryError, match=r"that is none"):
        take_back(store, 0)


def test_an_active_version_is_withdrawn_and_nothing_is_active(store):
    fill(store, "a", "b")
    promote(store, 0)
    promote(store, 1)

    withdrawn = withdraw(store)
    assert (withdrawn.version, withdrawn.status, withdrawn.traffic) == ("v1.1-synthetic", "deprecated", 0.0)
    assert statuses(store) == ["deprecated", "deprecated"]
    with pytest.raises(RegistryError, match="no version of calling_score is active, so there is nothing to withdraw"):
        withdraw(store)
    with pytest.raises(RegistryError, match="nothing to roll back"):
        rollback(store)


def test_after_a_withdrawal_a_rollback_leads_back_to_none_and_no_further(store):
    fill(store, "a", "b")
    promote(store, 0)
    withdraw(store)
    promote(store, 1)

    assert rollback(store) == "v1.1-synthetic"
    assert statuses(store) == ["deprecated", "deprecated"]


def test_an_archived_version_comes_back_to_staging_with_a_reason(store):
    fill(store, "a", "b")
    archive(store, 0)
    with pytest.raises(RegistryError, match=r"say why .*: `spots-ml unarchive calling_score v1\.0-synthetic --reason"):
        unarchive(store, 0, reason="")
    with pytest.raises(RegistryError, match="is staging; only an archived version is unarchived"):
        unarchive(store, 1)

    assert unarchive(store, 0).status == "staging"
    assert store.versions.history(MODEL, "v1.0-synthetic")[-1].reason == "needed"
    assert promote(store, 0).status == "active"


def test_content_that_was_archived_and_is_registered_again_is_back_in_staging(store):
    fill(store, "a", "b")
    archive(store, 0)
    again = store.versions.register(make_candidate("a", watermark="5/6"), now=hours(31), actor="dagster")

    assert (again.created, again.version.status, again.version.watermark) == (False, "staging", "5/6")
    assert store.versions.newest(MODEL).version == "v1.0-synthetic"
    told = [(one.action, one.from_status, one.to_status, one.reason) for one in store.versions.history()[-2:]]
    assert told == [
        ("unarchived", "archived", "staging", "the same content was registered again"),
        ("reaffirmed", "staging", "staging", ""),
    ]


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_is_left_by_the_changes_of_the_table_and_by_no_others(store, status):
    fill(store, "a", "b")
    lead = {
        "staging": [],
        "active": [lambda: promote(store, 0)],
        "deprecated": [lambda: promote(store, 0), lambda: promote(store, 1)],
        "archived": [lambda: archive(store, 0)],
    }
    for step in lead[status]:
        step()
    verbs = {
        "promoted": lambda: promote(store, 0),
        "archived": lambda: archive(store, 0),
        "unarchived": lambda: unarchive(store, 0),
        "weight_set": lambda: weigh(store, 0, 0.2),
    }
    for action, verb in verbs.items():
        allowed = {after for one, before, after in TRANSITIONS if (one, before) == (action, status)}
        if allowed:
            continue
        before = store.versions.history()
        with pytest.raises(RegistryError):
            verb()
        assert store.versions.history() == before
    ways = {action for action, before, after in TRANSITIONS if before == status and after != status} & set(verbs)
    assert ways or status == "active"
    for action in sorted(ways)[:1]:
        changed = verbs[action]()
        assert (action, status, changed.status) in TRANSITIONS


def test_what_is_told_of_a_version_that_is_none(store):
    with pytest.raises(RegistryError, match="there is no calling_score"):
        unarchive(store, 0)


def test_rollback_goes_to_the_previously_active_version_not_the_newest_one(store):
    fill(store, "a", "b", "c", "d")
    for number in (2, 0, 3):
        promote(store, number)

    assert rollback(store) == "v1.0-synthetic"
    assert rollback(store) == "v1.2-synthetic"
    assert statuses(store) == ["deprecated", "staging", "active", "deprecated"]
    assert rollback(store) == "v1.2-synthetic"
    assert statuses(store) == ["deprecated", "staging", "deprecated", "deprecated"]


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
        for entry in store.versions.history(MODEL)
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
    assert store.versions.history(MODEL, "v1.1-synthetic") == tuple(
        entry for entry in store.versions.history() if entry.version == "v1.1-synthetic"
    )


def test_a_new_version_weighs_a_tenth_and_is_offered_to_nobody(store):
    fill(store, "a")

    assert [(one.weight, one.traffic) for one in store.versions.list_versions()] == [(0.1, 0.0)]


def test_a_weight_that_is_set_is_kept_and_told_with_what_it_was(store):
    fill(store, "a", "b")
    promote(store, 0)

    assert weigh(store, 0, 0.3, at=41).weight == 0.3
    assert weigh(store, 1, 0.2, at=42).weight == 0.2
    assert weigh(store, 0, 0.15, at=43).weight == 0.15
    assert [(one.weight, one.status) for one in store.versions.list_versions()] == [(0.15, "active"), (0.2, "staging")]
    assert told_numbers(store) == [
        ("v1.0", "weight_set", "active", 0.1, 0.3, "dee", "trusted", hours(41)),
        ("v1.1", "weight_set", "staging", 0.1, 0.2, "dee", "trusted", hours(42)),
        ("v1.0", "weight_set", "active", 0.3, 0.15, "dee", "trusted", hours(43)),
    ]


def test_a_weight_stays_through_promotion_and_rollback(store):
    fill(store, "a", "b")
    promote(store, 0)
    weigh(store, 0, 0.3)
    promote(store, 1)

    rollback(store)
    assert store.versions.get(MODEL, "v1.0-synthetic").weight == 0.3


@pytest.mark.parametrize("share", [1.5, -0.1, float("nan"), float("inf")])
def test_a_weight_that_is_no_share_is_refused(store, share):
    fill(store, "a")

    with pytest.raises(RegistryError, match=r"the weight .* is no share; expected a number in \[0, 1\]"):
        weigh(store, 0, share)
    assert len(store.versions.history()) == 1


def test_versions_that_do_not_answer_are_given_no_weight(store):
    fill(store, "a", "b", "c")
    promote(store, 0)
    promote(store, 1)
    archive(store, 2)

    for number, status in ((0, "deprecated"), (2, "archived")):
        with pytest.raises(RegistryError, match=f"is {status}; only a staging or an active version is given a weight"):
            weigh(store, number, 0.3)
    with pytest.raises(RegistryError, match=r"registered are: v1\.0-synthetic"):
        weigh(store, 9, 0.3)


def told_numbers(store):
    return [
        (one.version[:4], one.action, one.to_status, one.from_value, one.to_value, one.actor, one.reason, one.at)
        for one in store.versions.history()
        if one.from_value is not None
    ]


def test_a_refused_change_changes_nothing(store):
    fill(store, "a", "b")
    promote(store, 0)
    before = store.versions.list_versions(), store.versions.history()

    with pytest.raises(RegistryError):
        archive(store, 0)

    assert (store.versions.list_versions(), store.versions.history()) == before


def test_another_model_is_never_touched(store):
    fill(store, "a", "b")
    store.versions.register(make_candidate("x", model_type="outcome"), now=hours(0), actor="test")
    promote_blessed(store.versions, "outcome", "v1.0-synthetic", now=hours(1), actor="test", reason="")
    promote(store, 1)

    assert [one.status for one in store.versions.list_versions("outcome")] == ["active"]


def test_what_one_store_object_wrote_another_one_reads(store):
    fill(store, "a")

    with another_over(store) as other:
        assert other.versions.list_versions() == store.versions.list_versions()
