import gc
import itertools

import onnxruntime as ort
import pytest

from spots_ml.digests import digest_bytes
from spots_ml.release.latency.measuring import measure_latency
from spots_ml.release.latency.report import LatencyConfig, LatencyReport

QUICK = LatencyConfig(n_runs=100, n_blocks=5, n_warm_up=1, batch_sizes=(2, 8), throughput_s=1e-6, n_cold_loads=2)


def ticking(step_ns):
    """A clock on which every call takes `step_ns`."""
    ticks = itertools.count(0, step_ns)
    return lambda: next(ticks)


@pytest.fixture(scope="module")
def report(good_file) -> LatencyReport:
    return measure_latency(good_file, config=QUICK)


def test_the_report_names_the_file_and_the_method(good_file, report):
    assert report.onnx_digest == digest_bytes(good_file)
    assert report.config == QUICK
    assert report.n_threads == 1
    assert report.onnxruntime_version == ort.__version__
    assert "cores" in report.machine
    assert [entry.batch for entry in report.throughput] == [2, 8]


def test_percentiles_are_in_order_and_above_nothing(report):
    for summary in (report.one_row, report.empty_graph):
        assert 0 < summary.p50_us <= summary.p95_us <= summary.p99_us <= summary.max_us
        assert list(summary.quantiles_us) == sorted(summary.quantiles_us)


def test_figures_are_microseconds_of_the_clock_given(good_file):
    report = measure_latency(good_file, config=QUICK, clock_ns=ticking(3_000))

    assert (report.one_row.p50_us, report.one_row.p99_us, report.empty_graph.p99_us) == (3.0, 3.0, 3.0)
    assert report.p99_ratio == 1.0
    assert report.cold_load_max_us == 3.0
    assert report.throughput[1].rows_per_s == pytest.approx(8 / 3e-6)


def test_the_gate_is_open_at_the_limit_and_shut_above(good_file):
    config = QUICK.model_copy(update={"limit_p99_us": 3.0})

    at_limit = measure_latency(good_file, config=config, clock_ns=ticking(3_000)).verdict()
    above = measure_latency(good_file, config=config, clock_ns=ticking(3_001)).verdict()

    assert at_limit.passed
    assert not above.passed
    assert above.gate == "latency"
    assert above.required == {"p99_us": 3.0}
    assert "over the limit of 0.003 ms" in above.message


def test_a_small_network_is_far_below_the_limit_of_100_ms(report):
    assert report.verdict().passed


def test_the_report_is_read_back_as_it_was_written(report):
    assert LatencyReport.from_bytes(report.to_bytes()) == report


def test_garbage_collection_is_on_again_afterwards(report):
    assert gc.isenabled()


def test_more_blocks_than_runs_are_an_error(good_file):
    with pytest.raises(ValueError, match="100 runs in 101 blocks"):
        measure_latency(good_file, config=LatencyConfig(n_runs=100, n_blocks=101))
