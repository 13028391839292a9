import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from spots_ml.models.declared import declared_types
from spots_ml.release.onnx.graph import build_onnx
from spots_ml.release.onnx.static_checks import check_file
from spots_ml.training.network import ScoringNetwork

EXPECTED = {"model_type": "calling_score", "version": "v1.0-synthetic", "trained_digest": "ab" * 32}


def findings(content):
    return check_file(content, **EXPECTED).findings


def tensor(model, name):
    return next(entry for entry in model.graph.initializer if entry.name == name)


def replace(model, name, values):
    tensor(model, name).CopyFrom(numpy_helper.from_array(values, name))


def with_value(model, name, value):
    values = numpy_helper.to_array(tensor(model, name)).copy()
    values.flat[0] = value
    replace(model, name, values)


def prop(model, key):
    return next(entry for entry in model.metadata_props if entry.key == key)


def shape_of(value):
    return value.type.tensor_type.shape


def swap_two_feature_names(model):
    names = json.loads(prop(model, "feature_names").value)
    names[3], names[4] = names[4], names[3]
    prop(model, "feature_names").value = json.dumps(names)


def fix_batch(model):
    for value in (model.graph.input[0], model.graph.output[0]):
        shape_of(value).dim[0].dim_value = 1


def drop_sigmoid(model):
    model.graph.node.pop()
    model.graph.node[-1].output[0] = "output"


def second_output(model):
    model.graph.output.append(helper.make_tensor_value_info("1_mul", TensorProto.FLOAT, ["batch", 39]))


def swap_shift_and_scale(model):
    sub, mul = model.graph.node[0], model.graph.node[1]
    sub.op_type, mul.op_type = "Mul", "Sub"


def rename(model, old, new):
    value = model.graph.input[0] if old == "input" else model.graph.output[0]
    value.name = new
    for node in model.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]


BROKEN = {
    "opset 19": (lambda m: setattr(m.opset_import[0], "version", 19), "opset 19"),
    "no opset": (lambda m: m.opset_import.pop(), "names no opset"),
    "IR version 10": (lambda m: setattr(m, "ir_version", 10), "IR version 10"),
    "no IR version": (lambda m: m.ClearField("ir_version"), "IR version 0"),
    "foreign domain": (
        lambda m: m.opset_import.append(helper.make_opsetid("com.microsoft", 1)),
        "domain 'com.microsoft'",
    ),
    "foreign operator": (
        lambda m: setattr(m.graph.node[3], "domain", "com.microsoft"),
        "unknown operators Relu",
    ),
    "unknown operator": (lambda m: setattr(m.graph.node[3], "op_type", "Tanh"), "unknown operators Tanh"),
    "functions": (lambda m: m.functions.add(name="f"), "carries functions"),
    "training info": (lambda m: m.training_info.add(), "carries training_info"),
    "sparse weights": (lambda m: m.graph.sparse_initializer.add(), "sparse"),
    "input name": (lambda m: rename(m, "input", "features"), "inputs are ['features']"),
    "output name": (lambda m: rename(m, "output", "score"), "outputs are ['score']"),
    "second output": (second_output, "outputs are ['output', '1_mul']"),
    "fixed batch": (fix_batch, "input `input` is [1, 39]"),
    "input width": (
        lambda m: setattr(shape_of(m.graph.input[0]).dim[1], "dim_value", 38),
        "input `input` is [batch, 38]",
    ),
    "output without a column": (
        lambda m: shape_of(m.graph.output[0]).dim.pop(),
        "output `output` is [batch]",
    ),
    "double output": (
        lambda m: setattr(m.graph.output[0].type.tensor_type, "elem_type", TensorProto.DOUBLE),
        "output `output` is DOUBLE",
    ),
    "no sigmoid": (drop_sigmoid, "does not end in a Sigmoid"),
    "NaN weight": (lambda m: with_value(m, "layer_1_weight", np.nan), "`layer_1_weight` hold NaN"),
    "infinite bias": (lambda m: with_value(m, "layer_2_bias", np.inf), "`layer_2_bias` hold NaN or infinity"),
    "double weights": (
        lambda m: replace(m, "layer_0_bias", np.zeros(128)),
        "`layer_0_bias` are not float32",
    ),
    "cut weights": (lambda m: setattr(tensor(m, "layer_0_weight"), "raw_data", b"1234"), "cut short"),
    "layers that do not fit": (
        lambda m: replace(m, "layer_1_weight", np.zeros((64, 127), np.float32)),
        "refused by the ONNX checker",
    ),
    "weights missing": (lambda m: m.graph.initializer.remove(tensor(m, "layer_1_weight")), "ONNX checker"),
    "shift of one value": (
        lambda m: replace(m, "shift", np.zeros(1, np.float32)),
        "shift is not a constant of 39",
    ),
    "scale of the wrong width": (
        lambda m: replace(m, "scale", np.ones(45, np.float32)),
        "scale is not a constant of 39",
    ),
    "shift and scale swapped": (swap_shift_and_scale, "preprocessing is missing"),
    "other contract": (
        lambda m: setattr(prop(m, "contract_digest"), "value", "0" * 64),
        f"metadata `contract_digest` is {'0' * 64}",
    ),
    "other trained model": (
        lambda m: setattr(prop(m, "trained_digest"), "value", "cd" * 32),
        "metadata `trained_digest` is cdcd",
    ),
    "other version": (lambda m: setattr(prop(m, "version"), "value", "v1.1-real"), "`version` is v1.1-real"),
    "other model": (lambda m: setattr(prop(m, "model_type"), "value", "outcome"), "`model_type` is outcome"),
    "other feature order": (swap_two_feature_names, "metadata `feature_names` is"),
    "no metadata": (lambda m: m.ClearField("metadata_props"), "metadata `version` is missing"),
}


@pytest.mark.parametrize("model_type", declared_types())
def test_a_file_we_built_has_nothing_against_it(make_network, model_type):
    content = build_onnx(make_network(model_type), version="v1.0-real", trained_digest="ab" * 32)

    report = check_file(content, model_type=model_type, version="v1.0-real", trained_digest="ab" * 32)

    assert report.findings == ()
    assert (report.ir_version, report.opset) == (8, 18)
    assert report.operators == ("Add", "Gemm", "Mul", "Relu", "Sigmoid", "Sub")


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_file_is_refused_with_what_is_wrong(good_file, spoil, broken):
    edit, expected = BROKEN[broken]

    assert any(expected in finding for finding in findings(spoil(good_file, edit)))


def test_every_problem_is_listed_at_once(good_file, spoil):
    def spoil_three(model):
        model.ir_version = 10
        model.opset_import[0].version = 21
        prop(model, "version").value = "v9.9-real"

    assert len(findings(spoil(good_file, spoil_three))) == 3


@pytest.mark.parametrize("content", [b"", b"not a model", bytes(10_000_001)], ids=["empty", "text", "too large"])
def test_what_is_no_model_is_refused(content):
    report = check_file(content, **EXPECTED)

    assert len(report.findings) == 1
    assert report.ir_version is None


def test_a_truncated_file_is_refused(good_file):
    assert findings(good_file[: len(good_file) // 2])


def test_the_file_of_the_other_model_is_refused(make_network):
    content = build_onnx(make_network("outcome"), version="v1.0-synthetic", trained_digest="ab" * 32)

    assert any("input `input` is [batch, 45]; expected [batch, 39]" in text for text in findings(content))


def test_a_network_with_nan_weights_gives_a_file_that_is_refused():
    network = ScoringNetwork("calling_score")
    network.layers[0].bias.data[5] = float("nan")

    content = build_onnx(network, version="v1.0-synthetic", trained_digest="ab" * 32)

    assert findings(content) == ("weights `layer_0_bias` hold NaN or infinity",)


def test_flipped_bytes_never_break_the_check_itself(good_file):
    size = len(good_file)
    edges = st.one_of(st.integers(0, 3000), st.integers(size - 3000, size - 1))

    @settings(max_examples=150, deadline=None, database=None, derandomize=True)
    @given(flips=st.lists(st.tuples(edges, st.integers(1, 255)), min_size=1, max_size=4))
    def check(flips):
        content = bytearray(good_file)
        for position, mask in flips:
            content[position] ^= mask

        report = check_file(bytes(content), **EXPECTED)

        assert report.from_bytes(report.to_bytes()) == report

    check()
