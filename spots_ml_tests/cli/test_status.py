"""`spots-ml status`: one page of what is live, for people and for scripts."""

import json

import pytest
from click.testing import CliRunner

from spots_ml.cli import main
from spots_ml.places import Places
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.registry.blessing import promote_blessed
from spots_ml_tests.registry.building import hours, register_network


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path / "data", tmp_path / "artifacts")


@pytest.fixture
def status(places, tmp_path):
    environment = {
        "SPOTS_ML_DATA_DIR": str(places.data_dir),
        "SPOTS_ML_ARTIFACTS_DIR": str(places.artifacts_dir),
        "DAGSTER_HOME": str(tmp_path / "home"),
    }

    def run(*arguments, **variables):
        result = CliRunner().invoke(main, ["status", *arguments], env=environment | variables)
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def test_before_anything_was_made_it_says_so(status):
    told = status()
    assert "the formula: no version was ever promoted" in told
    assert "no version yet, so not by time" in told
    assert told.rstrip().endswith("Nothing needs a person.")


def test_people_read_sentences_within_a_terminals_width_and_scripts_the_same_facts(status, places):
    store = embedded_store(places.database)
    for number in range(2):
        register_network(store.versions, places.models_dir, version=f"v1.{number}-synthetic", seed=number, active=False)
    promote_blessed(store.versions, "calling_score", "v1.0-synthetic", now=hours(1), actor="anna", reason="better")
    told = status(SPOTS_ML_ROLLOUT_AUTO_START="no")
    assert max(map(len, told.splitlines())) <= 118
    assert "answers   v1.0-synthetic, active since" in told
    assert "PERSON    v1.1-synthetic is not rolled out: it was never compared with the active v1.0-synthetic" in told
    document = json.loads(status("--json", SPOTS_ML_ROLLOUT_AUTO_START="no"))
    score, outcome = document["models"]
    assert (score["model_type"], score["live"], score["since"], score["candidates"]) == (
        "calling_score",
        "v1.0-synthetic",
        hours(1).isoformat(),
        ["v1.1-synthetic"],
    )
    assert (outcome["live"], outcome["since"], outcome["needs_person"]) == (None, None, [])
    assert score["answers"] in " ".join(told.split())
