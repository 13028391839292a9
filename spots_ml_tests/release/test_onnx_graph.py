import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx.reference import ReferenceEvaluator

from spots_ml.errors import ArtifactError
from spots_ml.features.contract import CONTRACT_DIGEST
from spots_ml.models.declared import declared_types, model_spec
from spots_ml.release.certification.certify import torch_outputs
from spots_ml.release.onnx.graph import build_onnx, training_means
from spots_ml.release.onnx.sessions import empty_graph


def build(network):
    return build_onnx(network, version="v1.0-hybrid", trained_digest="cd" * 32)


@pytest.mark.parametrize("model_type", declared_types())
def test_the_same_network_gives_the_same_bytes(make_network, model_type):
    assert build(make_network(model_type)) == build(make_network(model_type))


@pytest.mark.parametrize("model_type", declared_types())
@pytest.mark.parametrize("batch", [1, 2, 7, 40])
def test_the_file_answers_as_the_network_does(make_network, golden, model_type, batch):
    network = make_network(model_type)
    rows = golden(model_type, batch)

    (outputs,) = ort.InferenceSession(build(network)).run(["output"], {"input": rows})

    assert outputs.shape == (batch, 1)
    np.testing.assert_allclose(outputs, torch_outputs(network, rows), rtol=0, atol=1e-6)


@pytest.mark.parametrize("model_type", declared_types())
def test_the_reference_evaluator_agrees_with_onnx_runtime(make_network, golden, model_type):
    content, rows = build(make_network(model_type)), golden(model_type)

    (by_definition,) = ReferenceEvaluator(onnx.load_from_string(content)).run(None, {"input": rows})
    (by_runtime,) = ort.InferenceSession(content).run(None, {"input": rows})

    np.testing.assert_allclose(by_runtime, by_definition, rtol=0, atol=1e-6)


@pytest.mark.parametrize("model_type", declared_types())
def test_the_interface_is_the_one_the_app_calls(make_network, model_type):
    session = ort.InferenceSession(build(make_network(model_type)))
    width = len(model_spec(model_type).inputs)

    ends = [(end.name, end.shape, end.type) for end in (*session.get_inputs(), *session.get_outputs())]

    assert ends == [
        ("input", ["batch", width], "tensor(float)"),
        ("output", ["batch", 1], "tensor(float)"),
    ]


@pytest.mark.parametrize("model_type", declared_types())
def test_the_metadata_says_what_the_file_is(make_network, model_type):
    metadata = ort.InferenceSession(build(make_network(model_type))).get_modelmeta().custom_metadata_map

    assert json.loads(metadata.pop("feature_names")) == list(model_spec(model_type).inputs)
    assert metadata == {
        "contract_digest": CONTRACT_DIGEST,
        "model_type": model_type,
        "trained_digest": "cd" * 32,
        "version": "v1.0-hybrid",
    }


def test_an_input_with_scale_zero_changes_nothing(make_network, golden):
    network = make_network("calling_score")
    network.scale[30] = 0.0
    rows = golden("calling_score")
    changed = rows.copy()
    changed[:, 30] = 1.0 - changed[:, 30]
    session = ort.InferenceSession(build(network))

    assert (session.run(None, {"input": rows})[0] == session.run(None, {"input": changed})[0]).all()


def test_the_networks_are_of_the_specified_size(make_network):
    def n_weights(model_type):
        graph = onnx.load_from_string(build(make_network(model_type))).graph
        return sum(int(np.prod(t.dims)) for t in graph.initializer if t.name.startswith("layer_"))

    assert n_weights("calling_score") == 13_441
    assert n_weights("outcome") == 45 * 128 + 128 + 128 * 64 + 64 + 64 * 32 + 32 + 32 + 1


def test_the_training_means_can_be_read_back(network, good_file):
    assert np.array_equal(training_means(good_file), network.shift.numpy())


@pytest.mark.parametrize(
    ("content", "told"), [(b"\xff\xff\xff\xff\xff", "no ONNX file"), (empty_graph(39), "no constant 'shift'")]
)
def test_a_file_without_training_means_is_refused(content, told):
    with pytest.raises(ArtifactError, match=told):
        training_means(content)
