import pytest

from spots_ml.release.certification.certificate import (
    Certificate,
    CertificationLimits,
    RuntimeReport,
    StaticReport,
)


def report(runtime, **changes):
    values = {
        "name": runtime,
        "onnxruntime_version": "1.15.1",
        "n_golden_rows": 10,
        "n_corner_rows": 10,
        "n_random_rows": 1_000_000,
        "max_abs_difference": {1: 1e-7, 2: 1e-7, 7: 2e-7, 1024: 1e-7},
        "output_min": 0.1,
        "output_max": 0.9,
    }
    return RuntimeReport(**(values | changes))


def certificate(*runtimes, findings=()):
    return Certificate(
        model_type="outcome",
        onnx_digest="a" * 64,
        contract_digest="b" * 64,
        size_bytes=10,
        limits=CertificationLimits(),
        static=StaticReport(ir_version=8, opset=18, operators=("Gemm",), findings=findings),
        runtimes=runtimes,
    )


def test_two_runtimes_that_did_everything_are_a_pass():
    verdict = certificate(report("client"), report("current")).verdict()

    assert verdict.passed
    assert verdict.measured["max_abs_difference"] == 2e-7
    assert verdict.required["max_abs_difference"] == 1e-6


@pytest.mark.parametrize(
    "incomplete",
    [
        {"n_golden_rows": 0},
        {"n_corner_rows": 0},
        {"n_random_rows": 999_999},
        {"max_abs_difference": {1: 0.0, 2: 0.0, 7: 0.0}},
        {"max_abs_difference": {}},
        {"max_abs_difference": {1: 2e-6, 2: 0.0, 7: 0.0, 1024: 0.0}},
        {"output_min": None},
        {"output_max": 1.1},
        {"findings": ("anything",)},
        {"name": "another"},
        {"name": "client"},
    ],
    ids=lambda change: "-".join(map(str, change.items())),
)
def test_one_runtime_with_a_gap_is_no_pass(incomplete):
    assert not certificate(report("client"), report("current", **incomplete)).verdict().passed


def test_a_finding_in_the_file_is_no_pass():
    assert not certificate(report("client"), report("current"), findings=("opset 19",)).verdict().passed


def test_no_runtime_at_all_is_no_pass():
    assert not certificate().verdict().passed
