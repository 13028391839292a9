"""Pictures for the UI: small PNGs inside markdown, because that is what the asset page renders without any server.

Only drawing lives here; what is drawn was computed by the domain packages. Matplotlib is imported
when a picture is made.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes

    from spots_ml.release.latency_report import LatencySummary

_SIZE_INCHES = (6.0, 3.2)
_DPI = 80
_INK, _ACCENT, _QUIET = "#1f2937", "#2563eb", "#9ca3af"


class Picture:
    """One axes to draw on; `markdown()` turns it into a metadata value."""

    def __init__(self, title: str, x_label: str, y_label: str) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._figure = Figure(figsize=_SIZE_INCHES, dpi=_DPI, layout="constrained")
        FigureCanvasAgg(self._figure)
        self.axes: Axes = self._figure.subplots()
        self.axes.set_title(title, fontsize=10, color=_INK)
        self.axes.set_xlabel(x_label, fontsize=9)
        self.axes.set_ylabel(y_label, fontsize=9)
        self.axes.tick_params(labelsize=8)
        self.axes.spines[["top", "right"]].set_visible(False)

    def markdown(self, alt: str) -> dg.MetadataValue:
        """Render the picture.

        Args:
            alt: What a reader without the picture should know.

        Returns:
            Markdown with the PNG inside.
        """
        if self.axes.get_legend_handles_labels()[0]:
            self.axes.legend(fontsize=8, frameon=False)
        buffer = io.BytesIO()
        self._figure.savefig(buffer, format="png")
        encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
        return dg.MetadataValue.md(f"![{alt}](data:image/png;base64,{encoded})")


def loss_curves(train: Sequence[float], validation: Sequence[float], best_epoch: int) -> dg.MetadataValue:
    """Draw the loss per epoch.

    Args:
        train: Training loss per epoch.
        validation: Validation loss per epoch, as many.
        best_epoch: 0-based epoch whose weights were kept.

    Returns:
        Markdown with the picture.
    """
    picture = Picture("Loss per epoch", "epoch", "loss")
    picture.axes.plot(train, color=_QUIET, label="training")
    picture.axes.plot(validation, color=_ACCENT, label="validation")
    picture.axes.axvline(best_epoch, color=_INK, linewidth=0.8, linestyle="--", label=f"kept: epoch {best_epoch}")
    return picture.markdown("loss curves")


def calibration(predicted: "np.ndarray", observed: "np.ndarray", *, n_bins: int = 10) -> dg.MetadataValue:
    """Draw observed means over predicted means in bins of equal size.

    Args:
        predicted: `(n_rows,)` predictions in [0, 1].
        observed: `(n_rows,)` labels in [0, 1].
        n_bins: How many bins.

    Returns:
        Markdown with the picture.
    """
    import numpy as np

    bins = [rows for rows in np.array_split(np.argsort(predicted), n_bins) if len(rows)]
    picture = Picture("Calibration on test rows", "mean prediction", "mean label")
    picture.axes.plot([0, 1], [0, 1], color=_QUIET, linewidth=0.8, linestyle="--", label="perfect")
    picture.axes.plot(
        [predicted[rows].mean() for rows in bins],
        [observed[rows].mean() for rows in bins],
        color=_ACCENT,
        marker="o",
        markersize=4,
        label=f"{n_bins} bins of equal size",
    )
    return picture.markdown("calibration")


def predicted_against_observed(predicted: "np.ndarray", observed: "np.ndarray") -> dg.MetadataValue:
    """Draw a scatter of labels over predictions, at most 2,000 points.

    Args:
        predicted: `(n_rows,)` predictions in [0, 1].
        observed: `(n_rows,)` labels in [0, 1].

    Returns:
        Markdown with the picture.
    """
    step = max(1, len(predicted) // 2000)
    picture = Picture("Predicted against observed (test rows)", "prediction", "label")
    picture.axes.scatter(predicted[::step], observed[::step], s=4, color=_ACCENT, alpha=0.4, linewidths=0)
    picture.axes.plot([0, 1], [0, 1], color=_QUIET, linewidth=0.8, linestyle="--")
    return picture.markdown("predicted against observed")


def bars(values: Mapping[str, float], *, title: str, x_label: str) -> dg.MetadataValue:
    """Draw horizontal bars, longest on top.

    Args:
        values: Length per name; may be empty.
        title: Of the picture.
        x_label: What the length means, with its unit.

    Returns:
        Markdown with the picture.
    """
    ordered = sorted(values.items(), key=lambda item: item[1])
    picture = Picture(title, x_label, "")
    picture.axes.barh([name for name, _ in ordered], [value for _, value in ordered], color=_ACCENT)
    return picture.markdown(title)


def latency_distribution(one_row: "LatencySummary", empty_graph: "LatencySummary") -> dg.MetadataValue:
    """Draw which share of the calls was faster than a time, for the model and for an empty graph.

    Args:
        one_row: Latency of one row.
        empty_graph: Latency of a graph that only passes its input on.

    Returns:
        Markdown with the picture; the slowest hundredth is left out of it.
    """
    picture = Picture("Latency of one row", "microseconds", "share of calls")
    for summary, colour, label in ((empty_graph, _QUIET, "empty graph"), (one_row, _ACCENT, "model")):
        quantiles = summary.quantiles_us[:-1]
        picture.axes.plot(quantiles, [share / 100 for share in range(len(quantiles))], color=colour, label=label)
    for name, value in (("p50", one_row.p50_us), ("p99", one_row.p99_us)):
        picture.axes.axvline(value, color=_INK, linewidth=0.8, linestyle="--")
        picture.axes.text(value, 0.02, f" {name}: {value:.1f}", fontsize=7)
    return picture.markdown("latency distribution")
