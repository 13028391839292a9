"""What phones in the field accept, and what is therefore never written: numbers that no release of ours may change."""

from spots_ml.release.certification.certificate import CertificationLimits
from spots_ml.release.certification.client_limits import (
    BATCH_AXIS,
    BUILT_IR_VERSION,
    INPUT_NAME,
    KNOWN_OPERATORS,
    MAX_IR_VERSION,
    MAX_OPSET,
    MAX_SIZE_BYTES,
    OUTPUT_NAME,
)
from spots_ml.release.latency.report import LatencyConfig


def test_the_app_s_runtime_takes_this_and_no_more():
    assert (MAX_IR_VERSION, MAX_OPSET, BUILT_IR_VERSION) == (9, 18, 8)
    assert (INPUT_NAME, OUTPUT_NAME, BATCH_AXIS) == ("input", "output", "batch")
    assert {"Add", "Gemm", "Mul", "Relu", "Sigmoid", "Sub"} == KNOWN_OPERATORS
    assert MAX_SIZE_BYTES == 10_000_000


def test_a_file_is_held_against_these_limits():
    limits = CertificationLimits()

    assert (limits.client_line, limits.tolerance, limits.batch_sizes) == ("1.15.", 1e-6, (1, 2, 7, 1024))
    assert LatencyConfig().limit_p99_us == 100_000.0
