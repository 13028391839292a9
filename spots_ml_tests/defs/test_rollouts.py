"""`…/rollout`, its sensor and the drill's page: what is shown, what a tick decides, and that it asks once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from spots_ml.defs.pages.drill import drill_metadata
from spots_ml.defs.rollouts.asset import WELL_CHECK, rollout_asset, rollout_key
from spots_ml.defs.rollouts.sensor import ROLLOUT_TAG, rollout_sensor
from spots_ml.pipeline.rollouts.drill import DrillReport, DrillResult
from spots_ml.pipeline.rollouts.rehearsal import Rehearsal, hybrid_agents
from spots_ml.registry.published_files import ONNX_NAME, version_directory
from spots_ml_tests.defs.building import World
from spots_ml_tests.defs.pictures import svg, texts
from spots_ml_tests.pipeline.rollouts.rehearsed import POLICY

MODEL = "calling_score"
FIRST, SECOND = "v1.0-synthetic", "v1.1-synthetic"


@pytest.fixture
def place(settings, instance):
    """A platform with a champion, and the world that looks at it by the same clock."""
    place = Rehearsal(settings.data_dir.parent, datetime.now(UTC), hybrid_agents(120))
    place.world = World(instance, replace(settings, rollout=POLICY), lambda: place.now)
    place.register(FIRST, says_yes=False, blessed=False)
    place.promote(FIRST)
    place.pass_time(timedelta(hours=1))
    return place


def tick(place):
    with dg.build_sensor_context(
        instance=place.world.instance, resources={"platform": place.world.platform}
    ) as context:
        return rollout_sensor(context)


def request(place):
    (asked,) = [one for one in tick(place).run_requests if one.tags[ROLLOUT_TAG] == MODEL]
    return asked


def materialise(place, model_type=MODEL):
    result = dg.materialize(
        [rollout_asset(model_type)], instance=place.world.instance, resources={"platform": place.world.platform}
    )
    (made,) = result.asset_materializations_for_node(f"{model_type}__rollout")
    (check,) = result.get_asset_check_evaluations()
    return {key: value for key, value in made.metadata.items()}, check


def days(place, number, *, good):
    """Days with a look each; gives what the last one showed."""
    for _ in range(number):
        place.pass_time(timedelta(hours=12))
        place.serve(good=good)
        place.pass_time(timedelta(hours=12))
        shown = materialise(place)
    return shown


def test_a_tick_without_anything_to_do_says_so_of_each_model(place):
    materialise(place)
    told = tick(place).skip_message
    assert f"{MODEL}: {FIRST} is active, nothing is rolled out; no version in staging is newer" in told
    assert "the next look is at" in told
    assert "outcome: nothing is active or rolled out" in told


def test_what_may_start_is_asked_for_at_once_and_once_an_hour(place):
    place.register(SECOND)
    first, again = request(place), request(place)
    assert first.run_key == again.run_key
    assert first.asset_selection == [rollout_key(MODEL)]
    assert f"{SECOND} may start" in first.tags["spots_ml/reason"]
    place.pass_time(timedelta(hours=1))
    assert request(place).run_key != first.run_key


def test_nothing_is_asked_for_while_a_run_looks(place):
    place.register(SECOND)
    asked = request(place)
    place.world.run("rollouts", tags=asked.tags, assets=frozenset(asked.asset_selection))
    assert "a run is looking already" in tick(place).skip_message


def test_a_rollout_is_looked_at_once_a_day(place):
    place.register(SECOND)
    materialise(place)
    assert "rollout-1 is running; the next look is at" in tick(place).skip_message
    place.pass_time(timedelta(hours=24))
    assert "rollout-1 is running; looked at last" in request(place).tags["spots_ml/reason"]
    materialise(place)
    assert isinstance(tick(place), dg.SkipReason)


def test_an_active_version_is_watched_once_a_day_although_nothing_is_rolled_out(place):
    assert "looked at last: never" in request(place).tags["spots_ml/reason"]


def test_a_tick_takes_a_damaged_version_back_at_once_and_asks_for_the_page(place):
    place.register(SECOND, blessed=False)
    place.promote(SECOND)
    (version_directory(place.places.models_dir, MODEL, SECOND) / ONNX_NAME).write_bytes(b"no model")
    asked = request(place)
    assert f"{SECOND} was taken back by itself, {FIRST} answers" in asked.tags["spots_ml/reason"]
    assert place.store.versions.get(MODEL, FIRST).status == "active"
    shown, check = materialise(place)
    assert not check.passed and check.severity is dg.AssetCheckSeverity.WARN and check.check_name == WELL_CHECK
    assert "was rolled_back" in " ".join(shown["needs_a_person"].value.split())


def test_the_page_shows_where_it_stands_before_anything_was_rolled_out(place):
    shown, check = materialise(place, "outcome")
    assert check.passed
    assert list(shown)[:3] == ["state", "needs_a_person", "next"]
    assert "nothing was rolled out yet" in shown["state"].value


def test_the_page_shows_evidence_in_both_directions_who_takes_part_and_what_happened(place):
    place.register(SECOND)
    materialise(place)
    shown, check = days(place, 3, good=0.9)
    assert check.passed
    assert list(shown)[:4] == ["state", "needs_a_person", "evidence", "evidence_now"]
    assert "stage 2, 60% of the hybrid group" in " ".join(shown["state"].value.split())
    alt, picture = svg(shown["evidence"])
    assert alt == "evidence"
    legend = texts(picture)[0]
    assert all(word in legend for word in ("log10 e", "benefit", "harm", "promoted from here", "taken back"))
    assert "it is no better" in shown["evidence_now"].value and "it does no harm" in shown["evidence_now"].value
    assert shown["next"].value.split() == ["next:", "nothing", "before", "rollout-1", "is", "over"]
    assert "e+0" not in shown["evidence_now"].value
    assert shown["n_units"].value > 0
    assert "negative" in shown["guardrails"].value
    assert svg(shown["effect_by_day"])[0] == "effect by day"
    assert "| started | 30% |" in shown["events"].value and "| widened | 60% |" in shown["events"].value
    assert "1 rollout so far" in " ".join(shown["error_budget"].value.split())
    assert "30% -> 60% -> 100% of the hybrid group" in " ".join(shown["rules"].value.split())


def report(day, took_s=0.5, *, passed=True):
    results = (DrillResult(name="harm", passed=passed, took_s=took_s, told="v1.1 was taken back"),)
    return DrillReport(at=datetime(2026, 11, day, 6, tzinfo=UTC), limit_s=5.0, results=results)


def test_the_page_of_drills_shows_how_long_each_took_now_and_before(tmp_path):
    shown = drill_metadata(report(16), [report(16), report(9, 7.0, passed=False)], tmp_path)
    assert shown["state"].value == "everything was taken back in time"
    assert "| 2026-11-09 06:00 | 7.00 NO |" in shown["past"].value
    assert shown["harm_s"].value == 0.5
    assert "NOT EVERYTHING" in drill_metadata(report(9, 7.0, passed=False), [], tmp_path)["state"].value
