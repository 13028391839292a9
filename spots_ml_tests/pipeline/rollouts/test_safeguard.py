"""What answers is taken back when it cannot answer: to what is sound, once, and for no trouble of this machine."""

from datetime import timedelta

import pytest

from spots_ml.errors import RegistryError
from spots_ml.pipeline.rollouts.next_rollout import challenge
from spots_ml.pipeline.rollouts.safeguard import protect_files
from spots_ml.pipeline.rollouts.starting import rollouts_of, start_upcoming
from spots_ml.registry.published_files import MANIFEST_NAME, ONNX_NAME, version_directory
from spots_ml.scoring.scorer import Scorer
from spots_ml.scoring.served import MissingModel
from spots_ml_tests.pipeline.rollouts.rehearsed import (
    FIRST,
    POLICY,
    SECOND,
    THIRD,
    actions,
    active,
    due,
    look_at,
    rehearsal,
    with_champion,
)


@pytest.fixture
def place(tmp_path):
    return rehearsal(tmp_path, 60)


def promoted(place, *versions):
    for number, version in enumerate(versions):
        place.register(version, says_yes=bool(number % 2), blessed=False)
        place.promote(version)
        place.pass_time(timedelta(hours=1))


def folder_of(place, version):
    return version_directory(place.places.models_dir, place.model_type, version)


def damage(place, version):
    (folder_of(place, version) / ONNX_NAME).write_bytes(b"no model")


def protect(place):
    return protect_files(place.store, place.places, place.model_type, now=place.now, actor="a test")


def test_a_damaged_version_gives_way_to_the_one_before_it(place):
    promoted(place, FIRST, SECOND)
    damage(place, SECOND)
    taken = protect(place)
    assert (taken.version, taken.instead, active(place)) == (SECOND, FIRST, FIRST)
    entries = place.store.versions.history(place.model_type)[-2:]
    assert [entry.action for entry in entries] == ["rolled_back", "restored"]
    assert entries[0].reason.startswith("taken back by itself: its files are damaged")


def test_a_version_before_it_that_is_damaged_too_is_passed_over(place):
    promoted(place, FIRST, SECOND, THIRD)
    damage(place, SECOND)
    damage(place, THIRD)
    assert protect(place).instead == FIRST
    assert active(place) == FIRST
    assert protect(place) is None


def test_without_any_sound_version_the_formula_answers(place):
    promoted(place, FIRST, SECOND)
    damage(place, FIRST)
    damage(place, SECOND)
    assert protect(place).instead is None
    assert active(place) is None


def test_two_who_find_the_same_trouble_take_one_version_back(place):
    promoted(place, FIRST, SECOND, THIRD)
    damage(place, THIRD)
    versions = place.store.versions
    entry = {"now": place.now, "actor": "another one", "reason": "taken back by itself: damaged"}
    original = type(versions).take_back

    def late(self, *arguments, **named):
        type(versions).take_back = original
        original(self, place.model_type, THIRD, instead=SECOND, **entry)
        return original(self, *arguments, **named)

    type(versions).take_back = late
    try:
        assert protect(place) is None
    finally:
        type(versions).take_back = original
    assert active(place) == SECOND


def test_missing_files_are_lost_and_a_missing_disk_is_not(place):
    promoted(place, FIRST, SECOND)
    models = place.places.models_dir
    away = models.with_name("away")
    models.rename(away)
    assert protect(place) is None
    away.rename(models)
    for name in (ONNX_NAME, MANIFEST_NAME):
        (folder_of(place, SECOND) / name).unlink()
    assert protect(place).instead == FIRST


def test_files_that_this_machine_may_not_read_take_nothing_back(place):
    promoted(place, FIRST, SECOND)
    path = folder_of(place, SECOND) / ONNX_NAME
    path.unlink()
    path.mkdir()  # to read it is an error of the machine, also for a user who may read everything
    assert protect(place) is None
    assert active(place) == SECOND


def silent(place, version):
    return Scorer(MissingModel("failed", "a test", version), place.scorer().outcome)


def test_a_silent_active_version_gives_way_within_a_day(place):
    promoted(place, FIRST, SECOND)
    place.serve(good=0.5, scorer=silent(place, SECOND))
    place.pass_time(timedelta(minutes=5))
    taken = look_at(place).taken_back
    assert (taken.version, taken.instead) == (SECOND, FIRST)
    assert "did not answer in 100.0% of its decisions" in taken.cause
    assert look_at(place).taken_back is None


def test_what_was_silent_before_it_was_promoted_does_not_count(place):
    promoted(place, FIRST, SECOND)
    place.serve(good=0.5, scorer=silent(place, SECOND))
    place.pass_time(timedelta(hours=25))
    assert look_at(place).taken_back is None


def test_a_version_that_is_damaged_is_not_started_by_itself_nor_by_force_and_spends_no_budget(place):
    with_champion(place)
    made = place.register(SECOND)
    damage(place, SECOND)
    assert f"{SECOND} is not rolled out: its files are damaged" in look_at(place).waits
    upcoming = challenge(rollouts_of(place.store, place.model_type), made, reason="all the same")
    by = {"now": place.now, "actor": "anna", "forced": True}
    with pytest.raises(RegistryError, match="is not rolled out: its files are damaged"):
        start_upcoming(place.store, place.places.models_dir, place.model_type, upcoming, POLICY, **by)
    assert place.store.rollouts.list_rollouts() == ()


def test_a_look_is_due_at_once_when_the_files_of_a_challenger_are_lost(place):
    with_champion(place)
    place.register(SECOND)
    look_at(place)
    assert not due(place).is_due
    damage(place, SECOND)
    assert due(place).is_due and "damaged" in due(place).told
    assert look_at(place).change.cause == "artifact"


def test_a_challenger_that_is_damaged_or_silent_is_rolled_back_and_the_champion_stays(place):
    with_champion(place)
    place.register(SECOND)
    started = look_at(place).started
    place.pass_time(timedelta(hours=1))
    damage(place, SECOND)
    looked = look_at(place)
    assert (looked.looked_at.status, looked.change.cause) == ("rolled_back", "artifact")
    place.register(THIRD)
    other = look_at(place).started
    assert other.version == THIRD
    place.pass_time(timedelta(hours=1))
    place.serve(good=0.5, scorer=silent(place, THIRD))
    place.pass_time(timedelta(minutes=5))
    looked = look_at(place)
    assert (looked.looked_at.status, looked.change.cause, active(place)) == ("rolled_back", "fallbacks", FIRST)
    assert actions(place, started)[-1] == ("rolled_back", "artifact")
    assert POLICY.most_fallbacks == other.policy.most_fallbacks
