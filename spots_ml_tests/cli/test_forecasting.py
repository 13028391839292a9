"""`spots-ml plan`, `forecast` and `forecasts` over a store whose log has weeks of decisions."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from click.testing import CliRunner

from spots_ml.cli import main
from spots_ml.scoring.scorer import Scorer
from spots_ml.scoring.served import MissingModel
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.registry.building import register_network
from spots_ml_tests.scoring.deciding import decide
from spots_ml_tests.stores.keeping_interactions import interaction, stream

NOW = datetime.now(UTC).replace(microsecond=0)
N_DAYS = 30
FORMULA = Scorer(MissingModel("no_version", "none yet"), MissingModel("no_version", "none yet", filter_on=False))


def rows():
    """Agents who are there every fifth day; each pair scores high, and is liked or not."""
    rng = np.random.default_rng(3)
    found = []
    for number in range(150):
        for day in range(number % 5, N_DAYS, 5):
            moment = NOW - timedelta(days=N_DAYS - day) + timedelta(minutes=number)
            row = interaction(number, agent_id=f"agent {number}", opportunity_id=f"spot {day}", scored_at=moment)
            likely = {name: float(rng.uniform(0.65, 1.0)) for name, value in row.items() if isinstance(value, float)}
            kind, score = ("positive", 0.9) if rng.random() < 0.6 else ("negative", 0.1)
            told = {"outcome_type": kind, "outcome_score": score, "outcome_at": moment + timedelta(hours=1)}
            found.append(row | likely | told)
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forecasting")
    store = embedded_store(folder / "data" / "spots_ml.sqlite")
    kept = rows()
    store.interactions.import_interactions(stream(kept), now=NOW)
    store.decisions.log_decisions([decide(kept, now=NOW, scorer=FORMULA)], now=NOW)
    register_network(store.versions, folder / "artifacts" / "models", version="v1.1-synthetic", active=False)
    return folder


def run(place, *arguments):
    environment = {"SPOTS_ML_DATA_DIR": str(place / "data"), "SPOTS_ML_ARTIFACTS_DIR": str(place / "artifacts")}
    return CliRunner().invoke(main, list(arguments), env=environment)


def test_a_plan_is_told_in_a_sentence_and_a_table(place):
    result = run(place, "plan", "calling_score", "--effect", "-0.5", "--effect", "0.03")
    assert result.exit_code == 0, result.output
    assert "agents a day" in result.output and "+3 points never within 60" in result.output
    assert "spread of a unit" in result.output


def test_a_plan_as_json_has_what_it_was_told(place):
    found = json.loads(run(place, "plan", "calling_score", "--json").stdout)
    assert [one["effect"] for one in found["effects"]] == [-0.1, -0.05, 0.03, 0.06]
    assert found["traffic"]["n_units"] >= 30 and found["level"] < 0.05


def test_nothing_can_be_planned_for_no_effect_or_without_a_log(place, tmp_path):
    assert run(place, "plan", "calling_score", "--effect", "0").exit_code == 2
    result = run(tmp_path, "plan", "calling_score")
    assert result.exit_code == 1
    told = " ".join(result.output.split())
    assert "no decision of the hybrid group" in told and "decide by `spots-ml score requests.jsonl --log`" in told


def test_a_forecast_is_told_kept_and_listed(place):
    told = run(place, "forecast", "calling_score", "v1.1-synthetic", "--actor", "somebody")
    assert told.exit_code == 0, told.output
    assert "calling_score v1.1-synthetic: " in told.output and "agents a day" in told.output

    listed = run(place, "forecasts", "calling_score")
    assert told.output.split(": ", 1)[1].strip() in listed.output
    documents = json.loads(run(place, "forecasts", "calling_score", "v1.1-synthetic", "--json").stdout)
    assert [one["actor"] for one in documents["forecasts"]] == ["somebody"]
    assert documents["scores"] == []


def test_of_a_version_that_is_not_there_nothing_is_kept(place):
    result = run(place, "forecast", "calling_score", "v9.9-synthetic")
    assert result.exit_code == 1
    assert "v9.9-synthetic" in result.output
    assert "no forecasts yet" in run(place, "forecasts", "outcome").output
