"""Clocks that lie: who looks by a wrong one makes no unit too early, and keeps nobody else from looking."""

from datetime import timedelta

import pytest

from spots_ml.pipeline.rollouts.due_look import LOOK_EVERY
from spots_ml_tests.pipeline.rollouts.rehearsed import SECOND, days, due, look_at, rehearsal, with_champion

AHEAD = timedelta(days=10)


@pytest.fixture
def place(tmp_path):
    """Everybody was asked about once since a version is rolled out: the windows have just begun."""
    place = rehearsal(tmp_path)
    with_champion(place)
    place.register(SECOND)
    look_at(place)
    place.pass_time(timedelta(hours=12))
    place.serve(good=0.9)
    return place


def looks_ahead(place):
    right = place.now
    place.pass_time(AHEAD)
    looked = look_at(place)
    place.now = right
    return looked


def test_a_clock_that_is_ahead_of_the_log_makes_no_unit_and_takes_no_step(place):
    looked = looks_ahead(place)
    assert looked.change is None
    assert place.store.rollouts.rollout_units(looked.looked_at.number).num_rows == 0


def test_whoever_came_last_has_come(place):
    (stage,) = place.store.rollouts.rollout_looks(looks_ahead(place).looked_at.number)[-1].evidence.stages
    assert stage.n_entered_treated + stage.n_entered_control == len(place.agents)


def test_what_a_clock_that_was_ahead_has_looked_at_is_whole_in_the_end(place):
    number = looks_ahead(place).looked_at.number
    place.pass_time(timedelta(hours=6))
    place.serve(good=0.9)
    place.pass_time(timedelta(hours=6))
    days(place, 3, good=0.9)
    units = place.store.rollouts.rollout_units(number)
    assert (units.num_rows, set(units["n_decisions"].to_pylist())) == (len(place.agents), {2})


def test_a_look_by_a_clock_that_was_ahead_does_not_put_off_the_next_one(place):
    looks_ahead(place)
    assert due(place).is_due
    look_at(place)
    place.pass_time(LOOK_EVERY - timedelta(hours=1))
    assert not due(place).is_due
