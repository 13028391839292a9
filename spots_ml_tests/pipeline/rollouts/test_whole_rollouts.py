"""The whole loop over days, with the real scorer, log, outcomes and store: the better is promoted, harm is not."""

from datetime import timedelta

import pytest

from spots_ml.experiments.budget import level_at
from spots_ml.experiments.rollout import ON_THE_WAY
from spots_ml.pipeline.rollouts import controller
from spots_ml.pipeline.rollouts.by_hand import change_by_hand
from spots_ml.pipeline.rollouts.next_rollout import challenge
from spots_ml.pipeline.rollouts.starting import rollouts_of, start_upcoming
from spots_ml_tests.pipeline.rollouts.rehearsed import (
    FIRST,
    POLICY,
    SECOND,
    THIRD,
    actions,
    active,
    days,
    look_at,
    rehearsal,
    traffic,
    with_champion,
)


@pytest.fixture
def place(tmp_path):
    return rehearsal(tmp_path)


def over(looked):
    return looked.looked_at is not None and looked.looked_at.status not in ON_THE_WAY


def test_a_better_version_is_widened_and_promoted_and_then_tried_at_the_trusted_weight(place):
    with_champion(place)
    place.register(SECOND)
    started = look_at(place).started
    assert (started.version, started.champion, started.weight, started.share) == (SECOND, FIRST, 0.1, 0.3)
    looked = days(place, 14, good=0.9, until=over)
    assert active(place) == SECOND
    assert actions(place, started) == [("started", "evidence"), ("widened", "evidence"), ("promoted", "evidence")]
    assert looked.started.kind == "weight"
    assert (looked.started.version, looked.started.weight) == (SECOND, POLICY.trusted_weight)


def test_a_version_that_harms_is_rolled_back_in_its_first_stage_and_comes_back_only_after_a_new_blessing(place):
    with_champion(place)
    place.register(SECOND)
    started = look_at(place).started
    looked = days(place, 14, good=0.1, until=over)
    assert (looked.looked_at.status, looked.looked_at.stage, looked.change.cause) == ("rolled_back", 1, "harm")
    assert (active(place), traffic(place, SECOND)) == (FIRST, 0.0)
    assert "before it was taken back" in looked.waits
    assert f"`spots-ml bless {place.model_type} {SECOND}` compares them again" in looked.waits
    place.pass_time(timedelta(days=1))
    assert look_at(place).started is None
    place.bless(SECOND)
    again = look_at(place).started
    assert (again.version, again.salt != started.salt) == (SECOND, True)


def test_a_version_that_a_newer_comparison_speaks_against_holds_keeps_its_units_and_goes_on_when_blessed_again(place):
    with_champion(place)
    place.register(SECOND)
    started = look_at(place).started
    place.bless(SECOND, passed=False)
    looked = days(place, 4, good=0.9)
    assert looked.change is None and "not good enough" in looked.told
    assert place.store.rollouts.rollout_units(started.number).num_rows
    place.bless(SECOND)
    assert look_at(place).change.action == "widened"


def test_a_version_that_a_person_started_without_a_blessing_is_widened_without_one(place):
    with_champion(place)
    made = place.register(SECOND, blessed=False)
    upcoming = challenge(rollouts_of(place.store, place.model_type), made, reason="worth a try")
    models_dir = place.places.models_dir
    start_upcoming(
        place.store, models_dir, place.model_type, upcoming, POLICY, now=place.now, actor="anna", forced=True
    )
    assert days(place, 4, good=0.9, until=lambda looked: looked.change is not None).change.action == "widened"


def test_without_any_version_the_first_one_is_rolled_out_against_the_formula(place):
    place.register(FIRST)
    started = look_at(place).started
    assert (started.champion, started.weight) == (None, 0.1)
    days(place, 14, good=0.9, until=over)
    assert active(place) == FIRST


def test_agents_who_are_treated_stay_so_while_traffic_grows(place):
    with_champion(place)
    place.register(SECOND)
    look_at(place)
    treated = []
    for _ in range(2):
        place.pass_time(timedelta(hours=1))
        decided = place.serve(good=0.9)
        treated.append({one["agent_id"] for one in decided.to_pylist() if one["version"] == SECOND})
        if len(treated) == 1:
            change_by_hand(place.store, place.model_type, "widen", now=place.now, actor="anna", reason="to see it")
    assert treated[0] < treated[1]


def test_a_newer_version_waits_or_takes_the_place_as_the_rules_say(place):
    with_champion(place)
    place.register(SECOND)
    first = look_at(place).started
    place.register(THIRD)
    place.pass_time(timedelta(hours=1))
    waits = look_at(place)
    assert (waits.started, waits.looked_at.status) == (None, "running")
    replaced = look_at(place, POLICY.model_copy(update={"when_busy": "supersede"}))
    assert actions(place, first)[-1] == ("ended", "superseded")
    assert (replaced.started.version, traffic(place, SECOND), traffic(place, THIRD)) == (THIRD, 0.0, 0.3)


def test_what_was_never_compared_with_what_is_active_now_is_compared_by_the_look_and_starts_if_that_is_good(
    place, monkeypatch
):
    with_champion(place)
    place.register(SECOND, blessed=False)
    compared = []

    def bless(places, versions, model_type, version, *, now, actor):
        compared.append((model_type, version))
        place.bless(version)

    monkeypatch.setattr(controller, "bless_version", bless)
    assert look_at(place, POLICY.model_copy(update={"auto_start": False})).started is None
    assert compared == []
    assert look_at(place).started.version == SECOND
    assert compared == [(place.model_type, SECOND)]
    look_at(place)
    assert len(compared) == 1


def test_a_comparison_that_cannot_be_made_is_a_no_that_is_kept_and_not_tried_again(place):
    with_champion(place)
    place.register(SECOND, blessed=False)
    waits = look_at(place).waits
    assert f"{SECOND} is not rolled out: compared with the active {FIRST} it was not good enough" in waits
    kept = place.store.versions.newest_blessing(place.model_type, SECOND, FIRST)
    place.pass_time(timedelta(days=1))
    look_at(place)
    assert place.store.versions.newest_blessing(place.model_type, SECOND, FIRST) == kept


def test_a_promotion_by_force_makes_the_next_one_no_easier(place):
    with_champion(place)
    place.register(SECOND)
    first = look_at(place).started
    change_by_hand(place.store, place.model_type, "promote", now=place.now, actor="anna", reason="in a hurry")
    following = look_at(place).started
    assert (following.kind, following.n_before, following.n_promoted_before) == ("weight", 1, 0)
    assert following.level == pytest.approx(level_at(1, 0, POLICY.lifetime_level))
    assert first.level == pytest.approx(level_at(0, 0, POLICY.lifetime_level))
