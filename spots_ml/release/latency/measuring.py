"""Measures how fast an ONNX file answers, beside a graph that does nothing, in the same process.

What comes back, the limit and the verdict are in `latency_report`.
"""

import contextlib
import gc
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from spots_ml.digests import digest_bytes
from spots_ml.release.certification.client_limits import INPUT_NAME, OUTPUT_NAME
from spots_ml.release.documents import machine
from spots_ml.release.latency.report import LatencyConfig, LatencyReport, LatencySummary, Throughput
from spots_ml.release.onnx.sessions import N_THREADS, empty_graph, open_session

if TYPE_CHECKING:
    import onnxruntime as ort

Clock = Callable[[], int]
"""Tells nanoseconds since any fixed moment; never goes back."""


def measure_latency(
    content: bytes, *, config: LatencyConfig | None = None, clock_ns: Clock = time.perf_counter_ns
) -> LatencyReport:
    """Measure the time of one call as the app makes it, the throughput of larger batches, and the cold load.

    Model and empty graph take turns in short blocks, so that a busy machine disturbs both alike. Python's
    garbage collection waits meanwhile. Rows are random contract values.

    Args:
        content: A certified ONNX file.
        config: How much to measure; None: the defaults, about half a second.
        clock_ns: The clock.

    Returns:
        The report. Its figures are of this machine; a phone is slower, which the limit leaves room for.

    Raises:
        ValueError: When fewer runs are asked for than there are blocks.
    """
    import onnxruntime as ort

    config = config or LatencyConfig()
    if config.n_runs < config.n_blocks:
        raise ValueError(f"{config.n_runs} runs in {config.n_blocks} blocks; expected at least one run per block")
    with _garbage_collection_off():
        cold_ns = _cold_loads(content, config, clock_ns)
        session = open_session(content)
        width = session.get_inputs()[0].shape[1]
        rng = np.random.default_rng(config.seed)
        row = rng.random((1, width), dtype=np.float32)
        model_ns, empty_ns = _one_row(session, open_session(empty_graph(width)), row, config, clock_ns)
        throughput = tuple(
            _throughput(session, rng.random((batch, width), dtype=np.float32), config, clock_ns)
            for batch in config.batch_sizes
        )
    return LatencyReport(
        onnx_digest=digest_bytes(content),
        config=config,
        one_row=_summary(model_ns),
        empty_graph=_summary(empty_ns),
        throughput=throughput,
        cold_load_p50_us=float(np.median(cold_ns)) / 1000,
        cold_load_max_us=max(cold_ns) / 1000,
        n_threads=N_THREADS,
        onnxruntime_version=ort.__version__,
        machine=machine(),
    )


def _one_row(
    session: "ort.InferenceSession",
    empty: "ort.InferenceSession",
    row: np.ndarray,
    config: LatencyConfig,
    clock_ns: Clock,
) -> tuple[list[int], list[int]]:
    n_per_block = -(-config.n_runs // config.n_blocks)
    model_ns: list[int] = []
    empty_ns: list[int] = []
    for _ in range(config.n_blocks):
        for turn, times in ((session, model_ns), (empty, empty_ns)):
            _time_calls(turn, row, config.n_warm_up, clock_ns)
            times += _time_calls(turn, row, n_per_block, clock_ns)
    return model_ns[: config.n_runs], empty_ns[: config.n_runs]


def _time_calls(session: "ort.InferenceSession", rows: np.ndarray, n: int, clock_ns: Clock) -> list[int]:
    run, outputs, inputs = session.run, [OUTPUT_NAME], {INPUT_NAME: rows}
    times = []
    for _ in range(n):
        start = clock_ns()
        run(outputs, inputs)
        times.append(clock_ns() - start)
    return times


def _throughput(
    session: "ort.InferenceSession", rows: np.ndarray, config: LatencyConfig, clock_ns: Clock
) -> Throughput:
    _time_calls(session, rows, 2, clock_ns)
    (once_ns,) = _time_calls(session, rows, 1, clock_ns)
    n_runs = int(np.clip(config.throughput_s * 1e9 / max(once_ns, 1), 3, 1000))
    p50_ns = float(np.median(_time_calls(session, rows, n_runs, clock_ns)))
    return Throughput(batch=len(rows), n_runs=n_runs, p50_us=p50_ns / 1000, rows_per_s=len(rows) * 1e9 / max(p50_ns, 1))


def _cold_loads(content: bytes, config: LatencyConfig, clock_ns: Clock) -> list[int]:
    times = []
    for _ in range(config.n_cold_loads):
        start = clock_ns()
        session = open_session(content)
        row = np.zeros((1, session.get_inputs()[0].shape[1]), dtype=np.float32)
        session.run([OUTPUT_NAME], {INPUT_NAME: row})
        times.append(clock_ns() - start)
    return times


def _summary(times_ns: list[int]) -> LatencySummary:
    quantiles_us = np.quantile(np.asarray(times_ns, dtype=np.float64), np.linspace(0, 1, 101)) / 1000
    return LatencySummary(
        p50_us=float(quantiles_us[50]),
        p95_us=float(quantiles_us[95]),
        p99_us=float(quantiles_us[99]),
        max_us=float(quantiles_us[100]),
        quantiles_us=tuple(round(float(value), 3) for value in quantiles_us),
    )


@contextlib.contextmanager
def _garbage_collection_off() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
