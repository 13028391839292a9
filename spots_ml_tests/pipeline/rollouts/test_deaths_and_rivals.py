"""Two controllers at once, and kill -9 between any two writes: all of a look or nothing, and the next one goes on."""

import multiprocessing
import os
import signal
import sqlite3
from datetime import timedelta

import pytest

from spots_ml.errors import ArtifactError
from spots_ml.experiments.rollout_store import RolloutChangedError
from spots_ml.pipeline.rollouts import by_hand, controller
from spots_ml.pipeline.rollouts.by_hand import change_by_hand
from spots_ml.stores.embedded.registry import rollout_rows
from spots_ml_tests.pipeline.rollouts.rehearsed import (
    POLICY,
    SECOND,
    actions,
    days,
    look_at,
    rehearsal,
    traffic,
    with_champion,
)

FORKS = multiprocessing.get_context("fork")


@pytest.fixture
def place(tmp_path):
    """On the day before the evidence widens the traffic of a version."""
    place = rehearsal(tmp_path)
    with_champion(place)
    place.register(SECOND)
    look_at(place)
    days(place, 2, good=0.9)
    place.pass_time(timedelta(hours=12))
    place.serve(good=0.9)
    place.pass_time(timedelta(hours=12))
    return place


def everything(place):
    rollouts = place.store.rollouts
    (one,) = rollouts.list_rollouts()
    return (
        one,
        rollouts.rollout_events(one.number),
        [look.number for look in rollouts.rollout_looks(one.number)],
        rollouts.rollout_units(one.number).num_rows,
        place.store.versions.history(place.model_type),
    )


def dies_after(name, place):
    """Look in a process that is killed when it has made one of the writes of a look, before anything is committed."""
    original = getattr(rollout_rows, name)

    def last_write(*arguments, **named):
        original(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(rollout_rows, name, last_write)
    look_at(place)


@pytest.mark.parametrize("name", ["add_units", "add_look", "add_event", "step"])
def test_a_look_that_is_killed_leaves_nothing_and_the_next_one_does_all_of_it(place, name):
    before = everything(place)
    child = FORKS.Process(target=dies_after, args=(name, place))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert everything(place) == before
    looked = look_at(place)
    assert looked.change.action == "widened"
    assert traffic(place, SECOND) == POLICY.shares[1]
    after = everything(place)
    assert (len(after[1]), after[3]) == (len(before[1]) + 1, 240)


def test_of_two_who_look_at_once_one_acts_and_the_other_looks_again_and_finds_it_done(place, monkeypatch):
    seen = []

    def meanwhile(store, rollout, *, now):
        found = original(store, rollout, now=now)
        if not seen:
            seen.append(None)  # what the other one does is not disturbed
            seen[0] = look_at(place, actor="another one")
        return found

    original = controller.new_look
    monkeypatch.setattr(controller, "new_look", meanwhile)
    late = look_at(place)
    assert seen[0].change.action == "widened"
    assert late.change is None
    (one,) = place.store.rollouts.list_rollouts()
    assert actions(place, one) == [("started", "evidence"), ("widened", "evidence")]
    assert place.store.rollouts.rollout_units(one.number).num_rows == 240


def test_who_is_second_twice_says_so_and_changes_nothing(place, monkeypatch):
    def always_late(*arguments, **named):
        raise RolloutChangedError("another one was first")

    monkeypatch.setattr(type(place.store.rollouts), "record_look", always_late)
    before = everything(place)
    assert "somebody else is changing it" in look_at(place).sentences[-1]
    assert everything(place) == before


def test_a_look_again_at_the_same_moment_changes_nothing_more(place):
    look_at(place)
    first = everything(place)
    assert look_at(place).change is None
    again = everything(place)
    assert (again[0], again[1], again[3], again[4]) == (first[0], first[1], first[3], first[4])


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE rollout_units SET document = json_set(document, '$.value', -1.0) WHERE number = 7",
        "DELETE FROM rollout_units WHERE number = 240",
    ],
)
def test_units_that_are_not_those_of_the_last_look_decide_nothing(place, change):
    looked = look_at(place)
    with sqlite3.connect(place.places.database) as connection:
        for trigger in ("units_are_not_changed", "units_are_not_deleted"):
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute(change)
    before = everything(place)
    with pytest.raises(ArtifactError, match="not those that its look"):
        look_at(place)
    assert everything(place) == before
    assert (
        change_by_hand(
            place.store, place.model_type, "abort", now=place.now, actor="anna", reason="its units are damaged"
        ).number
        == looked.looked_at.number
    )


def test_a_person_who_has_not_seen_the_last_event_is_told(place, monkeypatch):
    def seen_before(store, model_type):
        known = original(store, model_type)
        look_at(place)
        return known

    original = by_hand.rollouts_of
    monkeypatch.setattr(by_hand, "rollouts_of", seen_before)
    with pytest.raises(RolloutChangedError):
        change_by_hand(place.store, place.model_type, "pause", now=place.now, actor="anna", reason="lunch")
