"""`spots-ml rollout …` and `spots-ml drill`: what people read, scripts parse, and what is refused in a sentence."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from spots_ml.cli import main
from spots_ml.pipeline.rollouts.drill import DrillReport, DrillResult, past_drills, save_drill
from spots_ml.pipeline.rollouts.rehearsal import Rehearsal, hybrid_agents

MODEL = "calling_score"


@pytest.fixture
def place(tmp_path):
    place = Rehearsal(tmp_path, datetime.now(UTC) - timedelta(hours=3), hybrid_agents(4))
    place.register("v1.0-synthetic", says_yes=False, blessed=False)
    place.promote("v1.0-synthetic")
    place.register("v1.1-synthetic")
    return place


@pytest.fixture
def run(place):
    environment = {
        "SPOTS_ML_DATA_DIR": str(place.places.data_dir),
        "SPOTS_ML_ARTIFACTS_DIR": str(place.places.artifacts_dir),
    }

    def run(*arguments, fails=False, **variables):
        result = CliRunner().invoke(main, arguments, env=environment | variables)
        assert (result.exit_code != 0) == fails, result.output
        return result.output

    return run


def test_a_rollout_is_started_stopped_and_gone_on_with_and_everything_of_it_is_told(run):
    assert "v1.1-synthetic, by itself" in run("rollout", "status", MODEL)
    started = json.loads(run("rollout", "start", MODEL, "--reason", "worth a try", "--actor", "anna", "--json"))
    assert (started["version"], started["status"], started["stage"]) == ("v1.1-synthetic", "running", 1)
    assert "is paused, stage 1, 10% of the hybrid group" in run("rollout", "pause", MODEL, "--reason", "a bug")
    assert "is running" in run("rollout", "resume", MODEL, "--reason", "fixed")
    assert "stage 2, 50%" in run("rollout", "force", MODEL, "widen", "--reason", "in a hurry")
    assert "is ended" in run("rollout", "abort", MODEL, "--reason", "enough")
    told = run("rollout", "status", MODEL)
    assert "10%  allowed, anna: worth a try" in told and "evidence" not in told
    assert "by hand" in told and "in a hurry" in told and "error budget: 1 rollout so far, 0 promoted" in told
    (document,) = json.loads(run("rollout", "status", MODEL, "--json"))
    assert [event["action"] for event in document["events"]] == ["started", "paused", "resumed", "widened", "ended"]
    assert (document["on_its_way"], document["last_look"], document["budget"]["n_rollouts"]) == (False, None, 1)


def test_what_was_promoted_is_for_everybody_and_a_start_past_the_blessing_stays_by_hand(run):
    run("rollout", "start", MODEL, "--force", "--reason", "a show", "--actor", "anna")
    run("rollout", "pause", MODEL, "--reason", "a bug")
    refused = " ".join(run("rollout", "force", MODEL, "promote", "--reason", "now", fails=True).split())
    assert f'`spots-ml rollout resume {MODEL} --reason "..."` lets it go on first' in refused
    run("rollout", "resume", MODEL, "--reason", "fixed")
    assert "is promoted, stage 1, 100% of the hybrid group" in run(
        "rollout", "force", MODEL, "promote", "--reason", "x"
    )
    told = run("rollout", "status", MODEL)
    assert "started      10%  by hand, anna: a show" in told
    assert "promoted    100%  by hand" in told


def test_a_look_starts_what_may_start_and_then_says_when_more_will_be_known(run):
    first = json.loads(run("rollout", "look", MODEL, "--json"))
    assert (first["rollout"], first["started"]["version"]) == (None, "v1.1-synthetic")
    assert "hold: no unit is whole yet" in run("rollout", "look", MODEL)
    assert "rollout-1: v1.1-synthetic against v1.0-synthetic, stage 1" in run("status")


def test_with_auto_start_off_nothing_starts_and_the_way_to_start_it_is_told(run):
    assert "nothing is to be done" in run("rollout", "look", MODEL, SPOTS_ML_ROLLOUT_AUTO_START="no")
    told = run("rollout", "status", MODEL, SPOTS_ML_ROLLOUT_AUTO_START="no")
    assert "waits for somebody to roll it out: `spots-ml rollout start calling_score`" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("pause", MODEL), "Missing option '--reason'"),
        (("pause", MODEL, "--reason", "x"), "no rollout of calling_score is on its way"),
        (("force", MODEL, "sideways", "--reason", "x"), "is not one of 'widen', 'promote', 'roll-back'"),
        (("start", MODEL, "v9.9-real"), "there is no calling_score v9.9-real"),
        (("start", MODEL, "v1.0-synthetic"), "is active"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(run, arguments, told):
    output = run("rollout", *arguments, fails=True)
    assert told in " ".join(output.split())
    assert "Traceback" not in output


def report(at, *, passed=True):
    results = (DrillResult(name="harm", passed=passed, took_s=0.5, told="v1.1 was taken back"),)
    return DrillReport(at=at, limit_s=5.0, results=results)


def test_reports_of_drills_are_kept_the_newest_first_and_a_damaged_one_is_left_out(tmp_path):
    moments = [datetime(2026, 11, day, 6, tzinfo=UTC) for day in (2, 9, 16)]
    paths = [save_drill(report(at, passed=at.day != 9), tmp_path) for at in moments]
    assert [(one.at.day, one.passed) for one in past_drills(tmp_path, limit=2)] == [(16, True), (9, False)]
    paths[2].write_bytes(paths[2].read_bytes().replace(b"0.5", b"0.1"))
    assert [one.at.day for one in past_drills(tmp_path, limit=3)] == [9, 2]
    assert past_drills(tmp_path / "nowhere", limit=3) == ()


def test_a_drill_takes_everything_back_in_time_and_touches_nothing_but_its_reports(run, place):
    versions = place.store.versions.history()
    told = json.loads(run("drill", "--json"))
    assert [(one["name"], one["passed"]) for one in told["results"]] == [
        ("corrupt_artifact", True),
        ("fallback_storm", True),
        ("harm", True),
    ]
    assert all(0.0 < one["took_s"] < told["limit_s"] for one in told["results"])
    assert (place.store.versions.history(), place.store.rollouts.list_rollouts()) == (versions, ())
    assert len(list(place.places.drills_dir.iterdir())) == 1
