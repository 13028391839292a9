"""The picture of a latency report: how long a call takes, beside the empty graph and the limit."""

import io

import numpy as np

from spots_ml.release.latency_report import LatencyReport


def plot_latency(report: LatencyReport) -> bytes:
    """Draw the distribution of one call's time, model and empty graph, on a logarithmic axis up to the limit.

    Args:
        report: What was measured.

    Returns:
        A PNG image, about 700 x 350 pixels.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    shares = np.linspace(0, 100, 101)
    for summary, name in ((report.one_row, "model"), (report.empty_graph, "empty graph")):
        label = f"{name}: p50 {summary.p50_us:.1f}, p95 {summary.p95_us:.1f}, p99 {summary.p99_us:.1f} µs"
        axes.plot(np.maximum(summary.quantiles_us, 0.1), shares, label=label)
    limit_us = report.config.limit_p99_us
    axes.axvline(limit_us, color="tab:red", linestyle="--", label=f"limit for p99: {limit_us / 1000:g} ms")
    axes.set(xscale="log", xlabel="time of one call with one row, µs", ylabel="share of calls, %")
    axes.set_title(f"onnxruntime {report.onnxruntime_version}, {report.n_threads} thread; {report.machine}", fontsize=8)
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    image = io.BytesIO()
    FigureCanvasAgg(figure).print_png(image)
    return image.getvalue()
