import json

import pytest
from click.testing import CliRunner

from spots_ml.cli import main


@pytest.fixture
def spots_ml(tmp_path):
    environment = {
        "SPOTS_ML_DATA_DIR": str(tmp_path / "data"),
        "SPOTS_ML_SOURCE": "synthetic",
        "DAGSTER_HOME": str(tmp_path / "home"),
    }

    def run(*arguments, exit_code=0):
        result = CliRunner().invoke(main, arguments, env=environment)
        assert result.exit_code == exit_code, result.output
        return result.output

    return run


def due(spots_ml, model_type="calling_score"):
    return next(one for one in json.loads(spots_ml("due", "--json")) if one["model_type"] == model_type)


def test_what_somebody_asked_for_is_due_and_says_who_and_why(spots_ml):
    assert due(spots_ml)["due"] is False
    assert spots_ml("retrain", "calling_score", "--reason", "a new season", "--actor", "maria").startswith("request 1:")

    told = due(spots_ml)
    assert (told["due"], told["message"]) == (True, "maria asked for it (request 1): a new season")
    (request,) = told["requests"]
    assert (request["number"], request["anew"], request["taken_at"]) == (1, False, None)
    assert due(spots_ml, "outcome")["due"] is False
    assert "retraining is due now: maria asked for it" in spots_ml("status")


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_request_without_a_reason_is_refused(spots_ml, reason):
    assert "'--reason': is empty" in spots_ml("retrain", "outcome", "--reason", reason, exit_code=2)


def test_a_reason_of_several_lines_is_refused_and_nothing_is_asked(spots_ml):
    assert "cannot be printed" in spots_ml("retrain", "outcome", "--reason", "a\nb", exit_code=2)
    assert due(spots_ml, "outcome")["requests"] == []
