"""`all_at_a_glance`: first among the assets, of one moment, and noted anew when something changes."""

import dagster as dg

from spots_ml.defs.assets.overview import OVERVIEW, all_at_a_glance, overview_sensor
from spots_ml_tests.registry.blessing import bless


def look(world, cursor=None):
    with dg.build_sensor_context(
        instance=world.instance, cursor=cursor, resources={"platform": world.platform}
    ) as context:
        return overview_sensor(context)


def events(answer):
    materialization, evaluation = answer.asset_events
    return {key: value.value for key, value in materialization.metadata.items()}, evaluation


def test_what_needs_a_person_and_what_answers_stand_first(world):
    world.register()
    bless(world.store.versions, "calling_score", "v1.0-real", passed=False, sentence="worse at night")
    shown, evaluation = events(look(world))
    assert list(shown)[:3] == ["needs_a_person", "calling_score: answers", "outcome: answers"]
    assert list(shown)[3:5] == ["calling_score: rollout", "outcome: rollout"]
    assert "it was not good enough (worse at night)" in " ".join(shown["needs_a_person"].split())
    assert not evaluation.passed and evaluation.severity is dg.AssetCheckSeverity.WARN
    assert shown["as_of"] == world.clock().timestamp()


def test_a_state_is_noted_once_and_again_when_it_changed_or_an_hour_went_by(world):
    first = look(world)
    assert isinstance(look(world, first.cursor), dg.SkipReason)
    world.register()
    second = look(world, first.cursor)
    assert second.cursor != first.cursor
    world.labels_arrive(10)
    assert isinstance(look(world, second.cursor), dg.SkipReason)
    world.clock.advance(hours=1, seconds=1)
    assert isinstance(look(world, second.cursor), dg.SensorResult)


def test_materialised_by_hand_it_says_the_same(world):
    result = dg.materialize([all_at_a_glance], instance=world.instance, resources={"platform": world.platform})
    (made,) = result.asset_materializations_for_node("all_at_a_glance")
    shown, evaluation = events(look(world))
    assert {key: value.value for key, value in made.metadata.items() if key in shown} == shown
    assert result.get_asset_check_evaluations()[0].passed == evaluation.passed
    assert evaluation.passed


def test_it_sorts_before_every_other_asset(world):
    keys = sorted(key.to_user_string() for key in world.definitions.resolve_asset_graph().get_all_asset_keys())
    assert keys[0] == OVERVIEW.to_user_string()
