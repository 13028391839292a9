"""A person can step in at any time, says why, and that stays."""

from datetime import timedelta

import pytest

from spots_ml.errors import ConfigError, RegistryError
from spots_ml.pipeline.rollouts.by_hand import change_by_hand
from spots_ml.pipeline.rollouts.rollout_view import rollout_view
from spots_ml.pipeline.rollouts.starting import chosen_by_hand, rollouts_of, start_upcoming
from spots_ml_tests.pipeline.rollouts.rehearsed import (
    FIRST,
    POLICY,
    SECOND,
    actions,
    active,
    days,
    look_at,
    rehearsal,
    traffic,
    with_champion,
)

BY_HAND = POLICY.model_copy(update={"auto_start": False})


@pytest.fixture
def place(tmp_path):
    place = rehearsal(tmp_path)
    with_champion(place)
    return place


def change(place, action, reason="a reason"):
    return change_by_hand(place.store, place.model_type, action, now=place.now, actor="anna", reason=reason)


def start(place, version=None, **more):
    upcoming = chosen_by_hand(rollouts_of(place.store, place.model_type), version)
    models_dir = place.places.models_dir
    return start_upcoming(
        place.store, models_dir, place.model_type, upcoming, POLICY, now=place.now, actor="anna", **more
    )


def last_event(place):
    one = place.store.rollouts.list_rollouts()[-1]
    return place.store.rollouts.rollout_events(one.number)[-1]


def view(place, policy=POLICY):
    return rollout_view(place.store, place.model_type, policy, now=place.now)


def test_nothing_starts_before_somebody_says_so_where_the_rules_ask_for_that(place):
    place.register(SECOND)
    assert look_at(place, BY_HAND).started is None
    assert "waits for somebody to roll it out" in view(place, BY_HAND).needs_person[0]
    started = start(place, reason="worth a try")
    assert (started.version, traffic(place, SECOND)) == (SECOND, POLICY.shares[0])
    assert (last_event(place).actor, last_event(place).reason) == ("anna", "worth a try")


def test_a_missing_blessing_is_stepped_around_only_by_force_with_a_reason(place):
    place.register(SECOND, blessed=False)
    with pytest.raises(RegistryError, match="never compared"):
        start(place)
    with pytest.raises(RegistryError, match="say why"):
        start(place, forced=True, reason=" ")
    assert start(place, forced=True, reason="urgent").version == SECOND


def test_a_rollout_that_a_newer_comparison_speaks_against_needs_a_person(place):
    place.register(SECOND)
    look_at(place)
    assert view(place).needs_person == ()
    place.bless(SECOND, passed=False)
    (need,) = view(place).needs_person
    assert "gets no more traffic: compared with" in need and f"spots-ml bless {place.model_type} {SECOND}" in need


def test_a_paused_rollout_keeps_its_traffic_takes_no_step_and_is_still_rolled_back(place):
    place.register(SECOND)
    look_at(place)
    change(place, "pause", "the app has a bug")
    looked = days(place, 3, good=0.9)
    assert (looked.change, looked.looked_at.status, traffic(place, SECOND)) == (None, "paused", POLICY.shares[0])
    assert "is paused since" in view(place).needs_person[0]
    change(place, "resume", "fixed")
    assert look_at(place).change.action == "widened"


def test_harm_rolls_a_paused_rollout_back(place):
    place.register(SECOND)
    look_at(place)
    change(place, "pause")
    looked = days(place, 8, good=0.05, until=lambda found: found.change is not None)
    assert (looked.change.action, looked.change.cause) == ("rolled_back", "harm")


@pytest.mark.parametrize(
    ("action", "status", "answers"),
    [("abort", "ended", FIRST), ("promote", "promoted", SECOND), ("roll-back", "rolled_back", FIRST)],
)
def test_a_person_ends_promotes_or_rolls_back_past_the_evidence_and_it_says_by_hand(place, action, status, answers):
    place.register(SECOND)
    started = look_at(place).started
    assert change(place, action, "I know better").status == status
    assert (active(place), place.store.versions.get(place.model_type, SECOND).traffic) == (
        answers,
        1.0 if answers == SECOND else 0.0,
    )
    assert actions(place, started)[-1][1] == "by_hand"
    assert last_event(place).reason == "I know better"


def test_every_hand_needs_a_reason_of_one_line_and_something_that_is_on_its_way(place):
    with pytest.raises(RegistryError, match="no rollout of calling_score is on its way"):
        change(place, "pause")
    place.register(SECOND)
    look_at(place)
    with pytest.raises(RegistryError, match="say why"):
        change(place, "abort", " ")
    with pytest.raises(ConfigError, match="cannot be printed"):
        change(place, "abort", "two\nlines")


def test_promoting_another_version_by_hand_ends_the_rollout_and_its_traffic(place):
    place.register(SECOND)
    started = look_at(place).started
    place.pass_time(timedelta(hours=1))
    place.store.versions.rollback(place.model_type, now=place.now, actor="anna", reason="worse")
    assert actions(place, started)[-1] == ("ended", "champion_changed")
    assert traffic(place, SECOND) == 0.0


def test_what_went_badly_by_itself_is_told_to_a_person_for_a_week(place):
    place.register(SECOND)
    look_at(place)
    days(place, 8, good=0.05, until=lambda found: found.change is not None)
    assert "was rolled back by itself (harm)" in view(place).needs_person[0]
    place.pass_time(timedelta(days=8))
    assert view(place).needs_person == ()
