"""One request explained: the scorer's own decision, both sides of both models, and what is said when a side is gone."""

import copy
import shutil

import numpy as np
import pytest
import torch

from spots_ml.errors import InputError, RegistryError
from spots_ml.explaining.decision_explanation import explain_request
from spots_ml.features.contract import FEATURES
from spots_ml.features.input_groups import input_groups
from spots_ml.models.declared import model_spec
from spots_ml.registry.serving import open_scorer
from spots_ml.requests.reading import read_requests
from spots_ml.scoring.answering.answers import answer_requests
from spots_ml.training.trained_model import load_trained_model
from spots_ml_tests.explaining.explaining import (
    FORMULA_AGENT,
    NOW,
    VERSION,
    Place,
    registered,
    request,
    train,
    write_requests,
)

HISTORY = {
    "past_positive_rate": 1.0,
    "past_negative_rate": 0.0,
    "average_engagement": 0.9,
    "interaction_count": 0.2,
    "time_since_last_positive": None,
    "activity_level": None,
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return registered(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def place(sound, tmp_path):
    """A copy to spoil."""
    shutil.copytree(sound.root, tmp_path / "copy")
    return Place(tmp_path / "copy")


def explain(place, path, position=0, **options):
    return explain_request(
        read_requests(path, format="jsonl"),
        position,
        place.store.versions,
        models_dir=place.models_dir,
        trained_dir=place.trained_dir,
        now=NOW,
        history=place.store.history,
        **options,
    )


@pytest.fixture
def path(tmp_path):
    partly = request(seed=1, trend_boost=0.1, history_features=HISTORY, positive_influence=0.9)
    partly["user_vibe_dimensions"]["overall_energy"] = None
    return write_requests(tmp_path / "requests.jsonl", request(seed=0), partly, request(FORMULA_AGENT, seed=2))


@pytest.mark.parametrize("position", [0, 1, 2])
def test_the_decision_is_the_scorers_own(sound, path, position):
    scorer = open_scorer(sound.store.versions, sound.models_dir)
    (batch,) = read_requests(path, format="jsonl")
    (answers,) = answer_requests([batch], scorer, now=NOW, history=sound.store.history)
    scores, found = answers.scores, explain(sound, path, position)
    steps = found.decision
    for name in ("neural_score", "weight", "hybrid_score", "outcome_probability", "blocked", "score", "called"):
        assert getattr(steps, name) == getattr(scores, name)[position], name
    assert steps.formula_score == scores.formula.score[position]
    assert sum(part.contribution for part in found.formula) == pytest.approx(steps.formula_score, abs=1e-12)
    betterment = next(part for part in found.formula if part.name == "life_betterment")
    assert sum(part.contribution for part in found.life_betterment) == pytest.approx(betterment.value, abs=1e-12)
    assert [model.onnx_answer for model in found.models] == [steps.neural_score, steps.outcome_probability]
    assert [value.fed for value in found.history] == answers.inputs.history[position].tolist()


def test_the_agents_group_decides_whether_the_model_has_a_say(sound, path):
    hybrid, formula_based = explain(sound, path, 0), explain(sound, path, 2)
    assert (hybrid.group, hybrid.decision.weight) == ("hybrid", 0.1)
    assert (formula_based.group, formula_based.decision.weight) == ("formulaBased", 0.0)
    assert formula_based.decision.neural_score is not None


@pytest.mark.parametrize("place_in_models", [0, 1])
def test_torch_and_onnx_agree_and_both_kinds_of_contributions_add_up(sound, path, place_in_models):
    model = explain(sound, path, 1).models[place_in_models]
    assert model.difference is not None
    assert model.difference <= 1e-6
    assert [check.passed for check in model.checks] == [True, True, True]
    distance = model.onnx_answer - model.baseline_answer
    assert sum(one.onnx for one in model.groups) == pytest.approx(distance, abs=1e-12)
    assert sum(one.torch for one in model.groups) == pytest.approx(distance, abs=3e-6)
    names = model_spec(model.model_type).inputs
    groups = input_groups(names)
    assert [one.name for one in model.inputs] == list(names)
    for group in model.groups:
        members = [one.contribution for one in model.inputs if one.group == group.name]
        assert len(members) == len(groups[group.name])
        assert sum(members) == pytest.approx(group.torch, abs=1e-12)


def test_what_was_unknown_and_what_was_fed_instead_is_told(sound, path):
    found = explain(sound, path, 1)
    raw = {one.name: one for one in found.raw}
    assert len(raw) == 34
    assert (raw["agent_overall_energy"].value, raw["agent_overall_energy"].fed) == (None, 0.5)
    assert raw["agent_overall_energy"].source == "default"
    assert raw["opportunity_overall_energy"].source == "record"
    assert found.derived["energy_match"] == 0.5
    history = {one.name: (one.value, one.fed, one.source) for one in found.history}
    assert history["past_positive_rate"] == (1.0, 1.0, "record")
    assert history["activity_level"] == (None, 0.5, "store")
    extras = {one.name: (one.value, one.fed) for one in found.extras}
    assert extras == {
        "trend_boost": (0.1, 0.1),
        "trajectory_potential": (None, 0.5),
        "positive_influence": (0.9, 0.9),
    }
    assert found.models[1].inputs[39].value == 1.0
    energy = found.models[0].inputs[FEATURES.index("agent_overall_energy")]
    assert energy.value == 0.5


def test_a_named_version_answers_in_place_of_the_serving_one(place, path):
    other = train("calling_score", seed=3)
    place.register("calling_score", other, version="v1.1-synthetic")
    named = explain(place, path, versions={"calling_score": VERSION})
    assert explain(place, path).models[0].version == VERSION  # nobody promoted the other one
    told = explain(place, path, versions={"calling_score": "v1.1-synthetic"})
    assert told.models[0].version == "v1.1-synthetic"
    assert told.decision.neural_score != named.decision.neural_score
    with pytest.raises(RegistryError, match="v9"):
        explain(place, path, versions={"outcome": "v9.9-real"})


def test_without_the_weights_the_file_explains_itself_and_the_missing_side_is_named(place, path):
    before = explain(place, path)
    place.weights("calling_score").unlink()
    model = explain(place, path).models[0]
    assert "weights.safetensors cannot be read" in model.torch_missing
    assert (model.torch_answer, model.difference, model.inputs) == (None, None, ())
    assert [check.passed for check in model.checks] == [None, None, True]
    assert [one.onnx for one in model.groups] == [one.onnx for one in before.models[0].groups]
    assert explain(place, path).failed_checks() == []


def test_a_damaged_file_falls_back_in_words_and_the_weights_still_explain(place, path):
    onnx = place.onnx("calling_score")
    content = bytearray(onnx.read_bytes())
    content[len(content) // 2] ^= 1
    onnx.write_bytes(content)
    found = explain(place, path)
    model = found.models[0]
    assert model.fallback.startswith("damaged: ")
    assert str(onnx) in model.fallback
    assert (model.onnx_answer, found.decision.neural_score, found.decision.weight) == (None, None, 0.0)
    assert found.decision.hybrid_score == found.decision.formula_score
    assert found.decision.fallback == "calling_score: damaged"
    assert [check.passed for check in model.checks] == [None, True, None]
    assert all(one.onnx is None and one.torch is not None for one in model.groups)
    assert found.models[1].fallback is None


def test_without_any_version_formula_and_rule_answer_and_nothing_is_made_up(tmp_path, path):
    found = explain(Place(tmp_path / "empty"), path)
    assert found.decision.fallback == "calling_score: no_version, outcome: no_version"
    assert found.decision.outcome_by == "the outcome rule"
    for model in found.models:
        assert model.fallback.startswith("no_version: ")
        assert (model.version, model.groups, model.inputs, model.checks) == (None, (), (), ())


def test_a_file_that_is_not_the_one_of_the_weights_fails_the_parity_check(tmp_path, path):
    place, model = Place(tmp_path / "forged"), train("calling_score")
    from spots_ml.training.model import save_trained_model

    save_trained_model(model, place.trained_dir)
    forged = copy.deepcopy(model.network)
    with torch.no_grad():
        forged.calibration_intercept.add_(1e-3)
    place.register("calling_score", model, network=forged)
    found = explain(place, path)
    assert [check.passed for check in found.models[0].checks] == [False, True, True]
    (told,) = found.failed_checks()
    assert told.startswith("calling_score: parity 0.000")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"user_vibe_dimensions": {}}, "missing_key"),
        ({"trend_boost": 0.5}, "out_of_range"),
        ({"timestamp": "2027-01-01T00:00:00Z"}, "timestamp_in_future"),
    ],
)
def test_a_refused_record_is_told_with_its_reasons(sound, tmp_path, change, told):
    path = write_requests(tmp_path / "bad.jsonl", request(), request(**change))
    with pytest.raises(InputError, match=f"position 1 is refused, so there is nothing to explain: {told}: "):
        explain(sound, path, 1)
    assert explain(sound, path, 0).position == 0


def test_the_value_that_is_out_of_range_is_named(sound, tmp_path):
    record = request()
    record["user_vibe_dimensions"]["crowd_tolerance"] = 1.5
    with pytest.raises(InputError, match=r"agent_crowd_tolerance is 1\.5"):
        explain(sound, write_requests(tmp_path / "bad.jsonl", record))


def test_a_position_that_is_not_there_is_told_with_how_many_there_are(sound, path):
    with pytest.raises(InputError, match="no request at position 3 among 3"):
        explain(sound, path, 3)


def test_the_shapley_values_start_at_the_training_means_of_the_file(sound, path):
    version = sound.store.versions.get("outcome", VERSION)
    model = load_trained_model(sound.trained_dir, version.content_digest)
    expected = model.predict(model.network.shift.numpy()[None])[0]
    assert explain(sound, path).models[1].baseline_answer == pytest.approx(float(expected), abs=1e-6)
    assert np.allclose([one.baseline for one in explain(sound, path).models[1].inputs], model.network.shift.numpy())
