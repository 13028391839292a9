"""Rollouts that are over are carried over, with all that belongs to them."""

import pytest

from spots_ml.errors import RegistryError
from spots_ml.stores.embedded.store import embedded_store
from spots_ml.stores.sync_rollouts import carry_rollouts
from spots_ml_tests.registry.building import hours, make_candidate
from spots_ml_tests.stores.keeping_rollouts import alter, record, start, units, version
from spots_ml_tests.stores.keeping_versions import fill, promote, rollback

pytestmark = pytest.mark.parametrize("new_store", ["embedded", "supabase"], indirect=True)


@pytest.fixture
def source(tmp_path):
    source = embedded_store(tmp_path / "source.sqlite")
    fill(source, "a", "b")
    promote(source, 0)
    return source


@pytest.fixture
def target(store):
    fill(store, "a", "b")
    promote(store, 0)
    return store


def one_that_is_over(source, what="rolled_back", number=1):
    rollout = record(source, start(source, number), at=61)
    rollout = record(source, rollout, units(rollout, "agent-1", "agent-2", "agent-3"), what="widened", at=62)
    return record(source, rollout, units(rollout, "agent-4", stage=2), what=what, at=63)


def known(store, number):
    """All that is known of a rollout, but for the numbers that a store gives."""
    rollout = next(one for one in store.rollouts.list_rollouts() if one.number == number)
    looks = store.rollouts.rollout_looks(number)
    places = {one.number: place for place, one in enumerate(looks)}
    events = [
        one.model_dump(exclude={"number", "look"}) | {"look": places.get(one.look)}
        for one in store.rollouts.rollout_events(number)
    ]
    assert rollout.last_event == store.rollouts.rollout_events(number)[-1].number
    return (
        rollout.model_dump(exclude={"last_event"}),
        events,
        [one.model_dump(exclude={"number"}) for one in looks],
        store.rollouts.rollout_units(number).to_pylist(),
    )


def carried(source, target):
    return [(one.number, one.outcome) for one in carry_rollouts(source.rollouts, target.rollouts)]


def test_a_rollout_that_is_over_is_known_there_with_all_that_belongs_to_it_and_versions_stay(source, target):
    one_that_is_over(source)
    one_that_is_over(source, "promoted")
    rollback(source)
    before = target.versions.list_versions(), target.versions.history()

    assert carried(source, target) == [(1, "added"), (2, "added")]
    for number in (1, 2):
        assert known(target, number) == known(source, number)
    assert (target.versions.list_versions(), target.versions.history()) == before
    assert carried(source, target) == [(1, "known"), (2, "known")]


def test_those_that_start_there_afterwards_go_on_with_numbers_and_budget(source, target):
    one_that_is_over(source)
    carried(source, target)
    started = start(target)

    assert (started.number, started.n_before) == (2, 1)
    events = [event.number for number in (1, 2) for event in target.rollouts.rollout_events(number)]
    assert events == sorted(set(events))
    alter(target, started, "ended")
    with pytest.raises(RegistryError, match="the salt of rollout-1 was used before"):
        start(target, salt=source.rollouts.list_rollouts()[0].salt)


def test_one_that_is_on_its_way_is_left_and_so_is_a_later_one(source, target):
    rollout = start(source)
    told = carry_rollouts(source.rollouts, target.rollouts)
    assert [(one.outcome, one.detail) for one in told] == [
        ("left", "rollout-1 is running; it is carried over when it is over")
    ]
    alter(source, rollout, "ended")
    start(source)
    assert carried(source, target) == [(1, "added"), (2, "left")]


def test_where_others_have_started_none_is_carried_over(source, target):
    alter(target, start(target), "ended")
    one_that_is_over(source)
    (told,) = carry_rollouts(source.rollouts, target.rollouts)

    assert (told.outcome, "rollout-1 is not the next one: 1 rollouts are there" in told.detail) == ("left", True)
    assert len(target.rollouts.list_rollouts()) == 1


def test_a_rollout_of_a_version_that_is_not_there_is_left(source, target):
    source.versions.register(make_candidate("c", version(2)), now=hours(5), actor="test")
    one_that_is_over(source, number=2)
    (told,) = carry_rollouts(source.rollouts, target.rollouts)
    assert (told.outcome, target.rollouts.list_rollouts()) == ("left", ())
    assert "there is no calling_score v1.2-synthetic; registered are" in told.detail
