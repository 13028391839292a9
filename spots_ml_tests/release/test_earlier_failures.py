"""Failures 2 to 5 of the earlier implementation, each rebuilt and refused; all ended in a silent fallback."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper

from spots_ml.errors import CertificationError
from spots_ml.release.certification.certify import torch_outputs


def findings_of(certificate, runtime):
    return next(report for report in certificate.runtimes if report.name == runtime).findings


def test_failure_2_a_file_without_the_scaler_is_refused_by_reading_and_by_both_runtimes(
    good_file, judge, without_preprocessing
):
    certificate = judge(without_preprocessing(good_file))

    assert any("preprocessing is missing" in finding for finding in certificate.static.findings)
    for runtime in ("client", "current"):
        assert any("away from the network" in finding for finding in findings_of(certificate, runtime))
    with pytest.raises(CertificationError, match=r"preprocessing is missing.*away from the network"):
        certificate.require()


def test_failure_2_a_file_with_another_scaler_is_refused(good_file, judge, spoil):
    def forget_one_scale(model):
        scale = next(tensor for tensor in model.graph.initializer if tensor.name == "scale")
        values = onnx.numpy_helper.to_array(scale).copy()
        values[7] = 1.0
        scale.CopyFrom(onnx.numpy_helper.from_array(values, "scale"))

    certificate = judge(spoil(good_file, forget_one_scale))

    assert certificate.static.findings == ()
    assert not certificate.verdict().passed
    assert "away from the network" in certificate.verdict().message


def test_failure_2_raw_contract_values_give_what_the_trained_network_gives(good_file, network, golden):
    rows = golden("calling_score")

    (outputs,) = ort.InferenceSession(good_file).run(None, {"input": rows})

    np.testing.assert_allclose(outputs, torch_outputs(network, rows), rtol=0, atol=1e-6)


def test_failure_3_a_file_with_its_weights_in_a_second_file_is_refused(good_file, judge, tmp_path: Path, monkeypatch):
    path = tmp_path / "model.onnx"
    onnx.save_model(
        onnx.load_from_string(good_file),
        path,
        save_as_external_data=True,
        location="model.onnx.data",
        size_threshold=0,
    )
    monkeypatch.chdir(tmp_path)

    certificate = judge(path.read_bytes())

    assert (tmp_path / "model.onnx.data").is_file()
    assert any("another file (model.onnx.data)" in finding for finding in certificate.static.findings)
    for runtime in ("client", "current"):
        assert any("does not load from bytes" in finding for finding in findings_of(certificate, runtime))


def test_failure_3_a_good_file_holds_every_weight(good_file, network):
    n_values = sum(tensor.numel() for tensor in network.state_dict().values())

    assert n_values > 13_441
    assert len(good_file) > 4 * n_values


def test_failure_4_ir_version_10_is_refused_and_only_the_client_runtime_notices_by_itself(good_file, judge, spoil):
    certificate = judge(spoil(good_file, lambda model: setattr(model, "ir_version", 10)))

    assert certificate.static.findings == ("IR version 10; the app takes 9 at most",)
    assert any("IR version" in finding for finding in findings_of(certificate, "client"))
    assert findings_of(certificate, "current") == ()


def test_failure_4_ir_version_9_would_still_load_on_the_phone(good_file, judge, spoil):
    assert judge(spoil(good_file, lambda model: setattr(model, "ir_version", 9))).verdict().passed


def test_failure_5_a_scalar_for_a_batch_of_one_is_refused_by_reading_and_by_both_runtimes(good_file, judge, spoil):
    def squeeze(model):
        model.graph.node[-1].output[0] = "column"
        model.graph.node.append(helper.make_node("Squeeze", ["column"], ["output"]))
        del model.graph.output[0].type.tensor_type.shape.dim[:]

    certificate = judge(spoil(good_file, squeeze))

    assert any("Squeeze" in finding for finding in certificate.static.findings)
    assert any("output `output` is []" in finding for finding in certificate.static.findings)
    for runtime in ("client", "current"):
        assert "golden rows at batch 1: output has shape [], expected [1, 1]" in findings_of(certificate, runtime)


def test_failure_5_a_batch_of_one_is_a_row_of_one(good_file, golden):
    (outputs,) = ort.InferenceSession(good_file).run(None, {"input": golden("calling_score", 1)})

    assert outputs.shape == (1, 1)
