import stat
import sys

import numpy as np
import onnx
import pytest
import torch

from spots_ml.errors import CertificationError
from spots_ml.models.declared import declared_types
from spots_ml.release.certification.certificate import Certificate, CertificationLimits
from spots_ml.release.onnx.graph import build_onnx


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize("model_type", declared_types())
def test_a_good_file_is_certified_in_both_runtimes_on_a_million_random_rows(make_network, judge, golden, model_type):
    network = make_network(model_type)
    content = build_onnx(network, version="v1.0-synthetic", trained_digest="ab" * 32)

    certificate = judge(
        content,
        network=network,
        golden_inputs=golden(model_type),
        model_type=model_type,
        limits=CertificationLimits(),
    )

    certificate.require()
    client, current = certificate.runtimes
    assert client.onnxruntime_version.startswith("1.15.")
    assert client.numpy_version.startswith("1.")
    assert current.numpy_version.startswith("2.")
    for report in certificate.runtimes:
        assert report.n_random_rows == 1_000_000
        assert report.n_corner_rows > 4096
        assert set(report.max_abs_difference) == {1, 2, 7, 1024}
    assert certificate.verdict().passed
    assert Certificate.from_bytes(certificate.to_bytes()) == certificate


def test_the_same_file_gets_the_same_certificate(good_file, judge):
    assert judge(good_file).to_bytes() == judge(good_file).to_bytes()


def test_a_missing_client_runtime_is_refused_with_the_remedy(good_file, judge, runtimes, tmp_path):
    certificate = judge(good_file, runtimes={**runtimes, "client": tmp_path / "python"})

    assert not certificate.verdict().passed
    with pytest.raises(CertificationError, match=r"client runtime: there is no interpreter at .*make setup"):
        certificate.require()


def test_a_runtime_that_nobody_named_is_refused(good_file, judge, runtimes):
    assert not judge(good_file, runtimes={"current": runtimes["current"]}).verdict().passed
    assert not judge(good_file, runtimes={}).verdict().passed


def test_two_times_the_current_runtime_is_not_both(good_file, judge, runtimes):
    certificate = judge(good_file, runtimes={**runtimes, "client": runtimes["current"]})

    assert any("expected one of the client's line 1.15.x" in text for text in certificate.findings)


def test_two_times_the_client_runtime_is_not_both(good_file, judge, runtimes):
    certificate = judge(good_file, runtimes={**runtimes, "current": runtimes["client"]})

    assert any("expected one newer than the client's line 1.15.x" in text for text in certificate.findings)


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (
            "cat > /dev/null; echo 'No module named onnxruntime' >&2; exit 1",
            "status 1: No module named onnxruntime",
        ),
        ("kill -9 $$", "ended with status -9"),
        ("exit 0", "its answer cannot be read"),
        ("cat > /dev/null; echo '{}'", "its answer cannot be read"),
        ("""cat > /dev/null; echo '{"onnxruntime_version": "1.15.1", "findings": []}'""", None),
        ("exec sleep 30", "gave no answer within 1 s"),
    ],
    ids=["no onnxruntime", "killed", "silent", "empty answer", "lazy answer", "hangs"],
)
def test_a_runtime_that_does_not_do_its_work_is_refused(good_file, judge, runtimes, tmp_path, text, finding):
    lazy = script(tmp_path / "python", text)

    certificate = judge(
        good_file,
        runtimes={**runtimes, "client": lazy},
        limits=CertificationLimits(n_random_rows=1, timeout_s=1 if "sleep" in text else 60),
    )

    assert not certificate.verdict().passed
    assert finding is None or any(finding in found for found in certificate.findings)


def test_another_network_than_the_files_is_refused(good_file, judge, make_network):
    other = make_network("calling_score")
    with torch.no_grad():
        other.layers[2].bias.add_(1e-3)

    certificate = judge(good_file, network=other)

    assert len(certificate.findings) == 2 * 4
    assert all("away from the network, expected at most 1e-06" in finding for finding in certificate.findings)


def test_another_trained_digest_or_version_is_refused(good_file, judge):
    certificate = judge(good_file, trained_digest="00" * 32, version="v1.1-real")

    assert [finding.split("`")[1] for finding in certificate.findings] == ["trained_digest", "version"]


def test_an_overflow_that_only_the_corners_of_the_contract_show_is_refused(judge, make_network):
    network = make_network("calling_score")
    with torch.no_grad():
        network.shift.fill_(0.0)
        network.scale.fill_(1.0)
        network.layers[0].weight.fill_(3e37)
        network.layers[1].weight[:, ::2] = 1.0
        network.layers[1].weight[:, 1::2] = -1.0
    content = build_onnx(network, version="v1.0-synthetic", trained_digest="ab" * 32)

    certificate = judge(
        content,
        network=network,
        golden_inputs=np.zeros((3, 39), dtype=np.float32),
        limits=CertificationLimits(n_random_rows=1),
    )

    assert certificate.static.findings == ()
    assert certificate.max_abs_difference is not None
    for runtime in ("client", "current"):
        assert f"{runtime} runtime: corner rows: output in [nan, nan], expected within [0, 1]" in certificate.findings


def test_nan_weights_are_refused_by_reading_and_by_running(judge, make_network):
    network = make_network("calling_score")
    network.layers[1].weight.data[0, 0] = float("nan")

    certificate = judge(build_onnx(network, version="v1.0-synthetic", trained_digest="ab" * 32))

    assert "file: weights `layer_1_weight` hold NaN or infinity" in certificate.findings
    assert any("random rows: output in [nan, nan]" in finding for finding in certificate.findings)
    assert not certificate.verdict().passed


def test_answers_above_1_are_one_finding_per_kind_of_row(judge, good_file, spoil):
    def open_ended(model):
        model.graph.node[-1].op_type = "Relu"
        bias = next(entry for entry in model.graph.initializer if entry.name == "calibration_intercept")
        bias.CopyFrom(onnx.numpy_helper.from_array(np.float32(9).reshape(()), bias.name))

    certificate = judge(spoil(good_file, open_ended), limits=CertificationLimits(n_random_rows=20_000))

    about_range = [text for text in certificate.runtimes[0].findings if "expected within [0, 1]" in text]
    assert len(about_range) == 4 + 1 + 1
    assert certificate.verdict().measured["output_max"] > 1
    assert not certificate.verdict().passed


@pytest.mark.parametrize("content", [b"", b"not a model"])
def test_bytes_that_are_no_model_are_refused_everywhere(judge, content):
    certificate = judge(content)

    assert len(certificate.findings) == 3
    assert not certificate.verdict().passed


def test_a_fixed_batch_is_refused_by_running_too(good_file, judge, spoil):
    def fix(model):
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1

    certificate = judge(spoil(good_file, fix))

    for runtime in ("client", "current"):
        assert any(text.startswith(f"{runtime} runtime: golden rows at batch 7") for text in certificate.findings)


@pytest.mark.parametrize(
    "rows",
    [
        np.zeros((0, 39), np.float32),
        np.zeros((4, 45), np.float32),
        np.zeros((4, 39)),
        np.full((4, 39), np.nan, np.float32),
        np.full((4, 39), 1.5, np.float32),
    ],
    ids=["none", "wrong width", "float64", "NaN", "out of range"],
)
def test_golden_rows_that_prove_nothing_are_an_error(good_file, judge, rows):
    with pytest.raises(ValueError, match="golden rows"):
        judge(good_file, golden_inputs=rows)


def test_the_interpreter_of_this_process_is_the_current_runtime(runtimes):
    assert str(runtimes["current"]) == sys.executable


def of_large_numbers(make_network, size):
    """A network whose answers are small differences of large numbers."""
    network = make_network("calling_score")
    first, second = network.layers[0], network.layers[1]
    with torch.no_grad():
        first.bias.add_(size)
        second.bias.sub_(size * second.weight.sum(dim=1))
    return network


def test_a_model_is_held_to_its_own_rounding_and_not_to_less_than_any_file_can_do(judge, make_network):
    network = of_large_numbers(make_network, 100.0)
    content = build_onnx(network, version="v1.0-synthetic", trained_digest="ab" * 32)

    certificate = judge(content, network=network)

    assert 2.5e-7 < certificate.rounding < 1e-4
    assert certificate.tolerance == 4 * certificate.rounding
    assert certificate.findings == ()
    verdict = certificate.verdict()
    assert verdict.required["max_abs_difference"] == certificate.tolerance


def test_a_model_that_rounds_in_digits_that_people_see_is_refused(judge, make_network):
    network = of_large_numbers(make_network, 1e6)
    content = build_onnx(network, version="v1.0-synthetic", trained_digest="ab" * 32)

    certificate = judge(content, network=network)

    assert certificate.rounding > 1e-4
    (found,) = (text for text in certificate.findings if text.startswith("model: "))
    assert "expected at most 0.0001; its weights are too large" in found
    assert not certificate.verdict().passed


def test_a_certificate_of_before_rounding_was_measured_is_read_and_written_as_it_was(good_file, judge):
    earlier = judge(good_file).model_copy(update={"rounding": None}).to_bytes()

    assert b"rounding" not in earlier
    certificate = Certificate.from_bytes(earlier)
    assert certificate.to_bytes() == earlier
    assert (certificate.tolerance, certificate.verdict().passed) == (1e-6, True)
