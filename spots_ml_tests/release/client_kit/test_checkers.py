"""The kit's checkers: they agree in every runtime, and every way of being wrong is caught."""

import dataclasses
import hashlib
import json
import math
from pathlib import Path

import onnx
import pytest
from onnx import numpy_helper

from spots_ml.release.client_kit.kit import write_kit
from spots_ml_tests.release.client_kit.runtimes import ONE_PER_CHECKER, PARITY, RUNTIMES, check, run_checker


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_runtime_computes_what_the_golden_lines_say(whole_kit, runtime):
    checked = check(runtime, whole_kit[0])

    assert checked.findings == []
    assert checked.n_lines == 200
    assert checked.runtime.startswith(runtime)
    assert checked.largest_difference <= PARITY
    assert {"neural_score", "neural_score in a batch", "score", "both_silent.score", "timing_alignment"} <= set(
        checked.largest
    )


@pytest.mark.parametrize("runtime", ONE_PER_CHECKER)
def test_a_kit_whose_filter_is_off_blocks_nobody_and_its_checkers_know(published, tmp_path, runtime):
    off = dataclasses.replace(published["outcome"], filter_on=False)
    report = write_kit(tmp_path / "kit", published["calling_score"], off)
    checked = check(runtime, tmp_path / "kit")

    assert report.n_blocked == 0
    assert report.n_called > 0
    assert "is **off**" in (tmp_path / "kit" / "README.md").read_text()
    assert (checked.findings, checked.n_lines) == ([], 200)
    edit_rules(tmp_path / "kit", lambda rules: rules["models"]["outcome"].update(filter_on=True))
    assert check(runtime, tmp_path / "kit").findings


def test_the_phones_line_is_one_of_them(whole_kit):
    assert check("onnxruntime 1.15", whole_kit[0]).runtime == "onnxruntime 1.15.1"


@pytest.mark.parametrize("runtime", ONE_PER_CHECKER)
def test_a_checker_tells_people_what_differs_and_where(kit, runtime):
    assert "everything agrees" in run_checker(runtime, kit).stdout
    edit_line(kit, 7, lambda line: line.update(score=0.25))

    done = run_checker(runtime, kit)

    assert done.returncode == 1
    assert "DIFFERS golden.jsonl, line 7: score is " in done.stdout
    assert "expected 0.25" in done.stdout


def test_a_runtime_that_is_not_installed_is_no_agreement(kit):
    done = run_checker("onnxruntime-node", kit, "--runtime", "onnxruntime-react-native")

    assert done.returncode == 2
    assert "is not installed" in done.stderr


def edit_line(kit, number, edit, name="golden.jsonl"):
    path = kit / name
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    edit(lines[number - 1])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")


def edit_rules(kit, edit):
    path = kit / "decision.json"
    rules = json.loads(path.read_bytes())
    edit(rules)
    path.write_text(json.dumps(rules), "utf-8")


def edit_model(kit, edit, model_type="calling_score"):
    """Change a model and everything that says what its digest is, so that only its answers can tell."""
    path = kit / model_type / "model.onnx"
    model = onnx.load_from_string(path.read_bytes())
    edit(model)
    replace_model(kit, model.SerializeToString(), model_type)


def replace_model(kit, content, model_type="calling_score"):
    (kit / model_type / "model.onnx").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    edit_rules(kit, lambda rules: rules["models"][model_type].update(onnx_sha256=digest))


def add_to_weights(model):
    for tensor in model.graph.initializer:
        if tensor.name.endswith("_weight"):
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) + 1e-4, tensor.name))


def weights_elsewhere(model):
    [tensor] = [one for one in model.graph.initializer if one.name == "layer_0_weight"]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "model.onnx.data"), ("offset", "0"), ("length", str(39 * 128 * 4))):
        tensor.external_data.add(key=key, value=value)


def flatten_output(model):
    """A batch of one comes back as one number, as an earlier exporter had it."""
    model.graph.node[-1].output[0] = "column"
    model.graph.node.append(onnx.helper.make_node("Squeeze", ["column", "axes"], ["output"]))
    model.graph.initializer.append(onnx.helper.make_tensor("axes", onnx.TensorProto.INT64, [1], [1]))
    del model.graph.output[0].type.tensor_type.shape.dim[1:]


AT_THE_EDGE = "the place is the traffic: not treated"
AGAINST_FORMULA = "rolled out against the formula"


def edit_draw(kit, situation, edit):
    """Edit the first line of assignment.jsonl that is about a situation and an agent of the hybrid group."""
    lines = [json.loads(line) for line in (kit / "assignment.jsonl").read_text("utf-8").splitlines()]
    found = (one["situation"] == situation and one.get("group") == "hybrid" for one in lines)
    edit_line(kit, 1 + list(found).index(True), edit, "assignment.jsonl")


def last_bit(numbers, name):
    numbers[name] = math.nextafter(numbers[name], 1.0)


def offer(line):
    return line["models"]["calling_score"]["rolling_out"]


def swap_features(line):
    features = line["features"]
    features[24], features[29] = features[29], features[24]


def flip_called(line):
    line["called"] = not line["called"]


def swap_inputs(rules):
    for names in rules["inputs"].values():
        names[24], names[29] = names[29], names[24]


def set_rule(*path, value):
    def edit(rules):
        *parents, last = path
        for name in parents:
            rules = rules[name]
        rules[last] = value

    return edit


def cut(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


MUTATIONS = {
    "weights off by 1e-4": (lambda kit: edit_model(kit, add_to_weights), "neural_score"),
    "outcome weights off by 1e-4": (lambda kit: edit_model(kit, add_to_weights, "outcome"), "outcome_probability"),
    "another model": (lambda kit: replace_model(kit, (kit / "outcome/model.onnx").read_bytes()), "cannot be used"),
    "external data": (lambda kit: edit_model(kit, weights_elsewhere), "cannot be used"),
    "a flat output": (lambda kit: edit_model(kit, flatten_output), "shape"),
    "a flipped byte": (lambda kit: flip(kit / "outcome/model.onnx"), "outcome/model.onnx is damaged"),
    "another manifest": (lambda kit: flip(kit / "outcome/manifest.json"), "outcome/manifest.json is damaged"),
    "a truncated model": (lambda kit: cut(kit / "outcome/model.onnx", 0.9), "damaged"),
    "a truncated model with its digest": (
        lambda kit: replace_model(kit, (kit / "calling_score/model.onnx").read_bytes()[:40_000]),
        "cannot be used",
    ),
    "no model": (lambda kit: (kit / "outcome/model.onnx").unlink(), "model.onnx"),
    "another contract": (lambda kit: edit_rules(kit, set_rule("contract_digest", value="0" * 64)), "feature contract"),
    "swapped features in a line": (lambda kit: edit_line(kit, 12, swap_features), "line 12: location_proximity"),
    "swapped inputs": (lambda kit: edit_rules(kit, swap_inputs), "community_patterns"),
    "a feature too few": (lambda kit: edit_line(kit, 3, lambda line: line["features"].pop()), "line 3: number of"),
    "called flipped": (lambda kit: edit_line(kit, 150, flip_called), "line 150: called"),
    "blocked flipped in a fallback": (
        lambda kit: edit_line(kit, 9, lambda line: line["fallbacks"]["both_silent"].update(blocked="no")),
        "line 9: both_silent.blocked",
    ),
    "group flipped": (lambda kit: edit_line(kit, 1, lambda line: line.update(group="control")), "line 1: group"),
    "a part of the formula": (
        lambda kit: edit_line(kit, 5, lambda line: line["formula"].update(context=2.0)),
        "line 5: formula.context",
    ),
    "a number that is none": (lambda kit: edit_line(kit, 2, lambda line: line.update(score="high")), "line 2"),
    "a line without decision": (lambda kit: edit_line(kit, 2, lambda line: line.pop("called")), "line 2"),
    "a line without fallbacks": (lambda kit: edit_line(kit, 2, lambda line: line.pop("fallbacks")), "line 2"),
    "a record without a feature": (
        lambda kit: edit_line(kit, 2, lambda line: line["record"]["context_features"].popitem()),
        "line 2",
    ),
    "another threshold": (lambda kit: edit_rules(kit, set_rule("decision", "called_from", value=0.71)), "called"),
    "a threshold just above": (
        lambda kit: edit_rules(kit, set_rule("decision", "called_from", value=0.700001)),
        "called",
    ),
    "another filter": (lambda kit: edit_rules(kit, set_rule("decision", "outcome_above", value=0.69)), "blocked"),
    "another group rule": (lambda kit: edit_rules(kit, set_rule("groups", "hybrid_below", value=127)), "agent-83"),
    "groups by another byte": (lambda kit: edit_rules(kit, set_rule("groups", "byte", value=1)), "group"),
    "another weight": (
        lambda kit: edit_rules(kit, set_rule("models", "calling_score", "weight", value=0.31)),
        "hybrid_score",
    ),
    "a line too few": (lambda kit: drop_last_line(kit), "number of outcome lines is 99, expected 100"),
    "another history": (
        lambda kit: edit_line(
            kit, 5, lambda line: line["history_features"].update(activity_level=0.5), "history.jsonl"
        ),
        "history.jsonl, line 5: activity_level",
    ),
    "a history that is not whole": (
        lambda kit: edit_line(kit, 6, lambda line: line.pop("at"), "history.jsonl"),
        "history.jsonl, line 6",
    ),
    "truncated history lines": (lambda kit: cut(kit / "history.jsonl", 0.5), "history.jsonl"),
    "no history lines": (lambda kit: (kit / "history.jsonl").unlink(), "history.jsonl"),
    "another salt": (
        lambda kit: edit_draw(kit, AGAINST_FORMULA, lambda line: offer(line).update(salt="0" * 32)),
        ": places",
    ),
    "somebody else treated": (
        lambda kit: edit_draw(kit, AT_THE_EDGE, lambda line: line["treated"].update(calling_score=True)),
        ": treated",
    ),
    "another weight of the treated": (
        lambda kit: edit_draw(kit, "all traffic", lambda line: line.update(weight=0.1)),
        ": weight is",
    ),
    "stages in the wrong order": (
        lambda kit: edit_draw(kit, "both models are rolled out", lambda line: line.update(stage=12)),
        ": stage is",
    ),
    "an empty salt that is taken": (
        lambda kit: edit_draw(kit, AGAINST_FORMULA, lambda line: offer(line).update(salt="")),
        ": refused is",
    ),
    "a bit of the place": (
        lambda kit: edit_draw(kit, AGAINST_FORMULA, lambda line: last_bit(line["places"], "calling_score")),
        ": places",
    ),
    "places by another sign": (
        lambda kit: edit_rules(kit, set_rule("rollouts", "between_salt_and_agent", value="-")),
        "decision.json: place of",
    ),
    "rollouts in another order": (
        lambda kit: edit_rules(kit, lambda rules: rules["rollouts"]["models_in_order"].reverse()),
        "experiment is",
    ),
    "an assignment that is not whole": (
        lambda kit: edit_draw(kit, AT_THE_EDGE, lambda line: line["models"].pop("outcome")),
        "is not whole",
    ),
    "truncated assignment lines": (lambda kit: cut(kit / "assignment.jsonl", 0.5), "assignment.jsonl"),
    "no assignment lines": (lambda kit: (kit / "assignment.jsonl").unlink(), "assignment.jsonl"),
    "truncated golden lines": (lambda kit: cut(kit / "golden.jsonl", 0.7), "golden.jsonl, line"),
    "no golden lines": (lambda kit: cut(kit / "golden.jsonl", 0.0), "lines is 0"),
    "truncated rules": (lambda kit: cut(kit / "decision.json", 0.5), "cannot be used"),
    "no rules": (lambda kit: (kit / "decision.json").unlink(), "decision.json"),
}


def flip(path):
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)


def drop_last_line(kit):
    lines = (kit / "golden.jsonl").read_text("utf-8").splitlines(keepends=True)
    (kit / "golden.jsonl").write_text("".join(lines[:-1]), "utf-8")


@pytest.mark.parametrize("runtime", ONE_PER_CHECKER)
@pytest.mark.parametrize("what", MUTATIONS)
def test_what_is_wrong_is_caught_and_named(kit, runtime, what):
    spoil, told = MUTATIONS[what]
    spoil(kit)

    checked = check(runtime, kit)

    assert checked.status == 1
    assert told in checked.told


@pytest.mark.parametrize("runtime", ["onnxruntime", "onnxruntime-web"])
@pytest.mark.parametrize("what", ["weights off by 1e-4", "external data", "a flat output"])
def test_the_other_runtimes_see_what_is_wrong_with_a_model(kit, runtime, what):
    MUTATIONS[what][0](kit)

    assert check(runtime, kit).status == 1
