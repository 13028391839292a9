import copy
import json
import re
import shutil

import pytest
import torch
from click.testing import CliRunner

from spots_ml.cli import main
from spots_ml.interactions.generators.export_writing import write_export
from spots_ml.interactions.generators.hybrid_law import HybridLaw
from spots_ml.training.model import save_trained_model
from spots_ml_tests.explaining.explaining import (
    FORMULA_AGENT,
    VERSION,
    Place,
    registered,
    request,
    train,
    write_requests,
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return registered(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def place(sound, tmp_path):
    shutil.copytree(sound.root, tmp_path / "copy")
    return Place(tmp_path / "copy")


@pytest.fixture
def path(tmp_path):
    unknown = request(seed=1)
    unknown["timing_features"]["user_patterns"] = None
    good = {name: dict.fromkeys(keys, 0.95) for name, keys in request().items() if isinstance(keys, dict)}
    return write_requests(
        tmp_path / "requests.jsonl", request(), unknown, request(FORMULA_AGENT), request(**good, trend_boost=0.2)
    )


def explain(place, *arguments, **options):
    return CliRunner().invoke(main, ["explain", *map(str, arguments)], env=place.environ, **options)


def shown(place, *arguments):
    result = explain(place, *arguments)
    assert result.exit_code == 0, result.output
    assert max(len(line) for line in result.stdout.splitlines() if "/" not in line) <= 120
    return result.stdout


def test_all_steps_are_told_in_their_order(sound, path):
    text = shown(sound, path)
    titles = ["1. RAW RECORD", "2. COMPUTED", "3. FORMULA", "4. NEURAL SCORE", "5. P(POSITIVE)", "6. DECISION"]
    places = [text.index(title) for title in titles]
    assert places == sorted(places)
    assert text.count("PASS") == 6
    assert "FAIL" not in text and "missing" not in text


@pytest.mark.parametrize("position", [0, 1, 2, 3])
def test_the_sums_in_the_text_are_right(sound, path, position):
    text = shown(sound, path, "--position", position)
    weight, formula, again, neural, hybrid = map(
        float, re.search(r"\(1 - (\S+)\) x (\S+) \+ (\S+) x (\S+) = (\S+)", text).groups()
    )
    assert weight == again
    assert (1 - weight) * formula + weight * neural == pytest.approx(hybrid, abs=1.5e-4)
    probability = float(re.search(r"P\(positive\) (\S+) by outcome", text).group(1))
    assert ("<= 0.70: not called" in text) == (probability <= 0.70)
    if probability > 0.70:
        boost, product = map(float, re.search(r"x \(1 \+ (\S+)\) = ([\d.]+)", text).groups())
        assert hybrid * probability * (1 + boost) == pytest.approx(product, abs=2e-4)
    total = sum(float(one) for one in re.findall(r"^\w+ +[\d.]+ +0\.\d\d +([\d.]+)$", text, re.MULTILINE))
    assert total == pytest.approx(formula, abs=3e-4)


def test_both_ends_of_the_decision_are_among_the_examples(sound, path):
    filtered = shown(sound, path)
    passing = shown(sound, path, "--position", 3)
    assert "<= 0.70: not called" in filtered
    assert filtered.endswith("NOT CALLED\n")
    assert "> 0.70: passes" in passing
    assert ">= 0.70: called" in passing
    assert passing.endswith("DECISION         CALLED\n")


def test_an_unknown_value_and_a_group_without_a_say_are_told(sound, path):
    assert "34 features, 1 unknown" in (text := shown(sound, path, "--position", 1))
    assert re.search(r"user_patterns +unknown -> 0\.5", text)
    assert "weight 0: the group is formulaBased" in shown(sound, path, "--position", 2)


def test_the_number_of_inputs_can_be_chosen(sound, path):
    text = shown(sound, path, "--top", 3)
    assert "36 other inputs" in text and "42 other inputs" in text
    assert "other inputs" not in shown(sound, path, "--top", 45)


def test_json_holds_what_the_text_shows(sound, path):
    document = json.loads(explain(sound, path, "--position", 1, "--json").stdout)
    assert [model["model_type"] for model in document["models"]] == ["calling_score", "outcome"]
    assert all(check["passed"] for model in document["models"] for check in model["checks"])
    assert len(document["raw"]) == 34
    assert set(document["decision"]) >= {"formula_score", "neural_score", "weight", "score", "called"}


def test_an_export_and_standard_input_are_read_as_well(sound, path, tmp_path):
    export = tmp_path / "export.json.gz"
    write_export(HybridLaw().generate(5, seed=1), export)
    assert "REQUEST 4" in shown(sound, export, "--position", 4)
    piped = explain(sound, "-", "--json", input=path.read_bytes())
    assert json.loads(piped.stdout) == json.loads(explain(sound, path, "--json").stdout)


def test_without_the_torch_weights_the_column_is_missing_and_it_is_said_why(place, path):
    place.weights("outcome").unlink()
    text = shown(place, path)
    assert "no torch column, the weights cannot be had" in text
    assert "weights.safetensors" in text
    assert text.count("not checked") == 2
    assert text.count("PASS") == 4


def test_a_damaged_file_is_told_with_who_answered_instead(place, path):
    place.onnx("outcome").write_bytes(b"nothing")
    text = shown(place, path)
    assert "the ONNX file does not answer: damaged: " in " ".join(text.split())
    assert "by the outcome rule" in text
    assert re.search(r"FALLBACK +outcome: damaged", text)


def test_without_versions_the_formula_decides(tmp_path, path):
    text = shown(Place(tmp_path / "empty"), path)
    assert "the model did not answer" in text
    assert "no_version" in text


def test_a_file_that_is_not_the_one_of_the_weights_ends_with_status_1(tmp_path, path):
    place, model = Place(tmp_path / "forged"), train("calling_score")
    save_trained_model(model, place.trained_dir)
    forged = copy.deepcopy(model.network)
    with torch.no_grad():
        forged.calibration_intercept.add_(1e-3)
    place.register("calling_score", model, network=forged)
    result = explain(place, path)
    assert result.exit_code == 1
    assert "FAIL         torch and ONNX give the same answer" in result.stdout
    assert "not to be trusted: calling_score: parity" in result.stderr
    assert VERSION in result.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["--position", "9"], 1, "no request at position 9 among 4"),
        (["--position", "-1"], 2, "--position"),
        (["--top", "0"], 2, "--top"),
        (["--outcome", "v7.7-real"], 1, "there is no outcome v7.7-real"),
    ],
)
def test_what_cannot_be_explained_is_one_message(sound, path, arguments, status, told):
    result = explain(sound, path, *arguments)
    assert result.exit_code == status
    assert told in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_a_refused_record_is_one_message_with_its_reason(sound, tmp_path):
    record = request()
    del record["context_features"]["network_effects"]
    result = explain(sound, write_requests(tmp_path / "bad.jsonl", record))
    assert result.exit_code == 1
    assert "is refused, so there is nothing to explain: missing_key" in result.stderr
