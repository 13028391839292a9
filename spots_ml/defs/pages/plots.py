"""The pictures of the asset pages: what is drawn, from results that the domain packages computed.

How it is drawn is in `charts`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import dagster as dg

from spots_ml.defs.pages import charts
from spots_ml.defs.pages.charts import ACCENT, INK, QUIET, Chart
from spots_ml.models.declared import model_in
from spots_ml.models.spec import Role

if TYPE_CHECKING:
    import numpy as np

    from spots_ml.estimates.estimate import Estimate
    from spots_ml.explaining.importance import Importance
    from spots_ml.monitoring.performance import PerformanceRow
    from spots_ml.release.latency.report import LatencySummary

_POINTS_PER_LINE: Final = (40, 34, 28, 24, 20, 16)
_N_BINS: Final = 10
_N_SPANS: Final = 12
_N_BARS: Final = 9


def loss_curves(train: Sequence[float], validation: Sequence[float], best_epoch: int) -> dg.MetadataValue:
    """Draw the loss per epoch.

    Args:
        train: Training loss per epoch, at least one.
        validation: Validation loss per epoch, as many.
        best_epoch: 0-based epoch whose weights were kept.

    Returns:
        Markdown with the picture; epochs are thinned out evenly until the page shows it in place.
    """
    lowest, highest, kept = min(*train, *validation), max(*train, *validation), best_epoch + 1

    def draw(shown: Sequence[int]) -> dg.MetadataValue:
        chart = Chart((1, len(train)), (lowest, highest))
        chart.line([(epoch + 1, train[epoch]) for epoch in shown], QUIET, "training")
        chart.line([(epoch + 1, validation[epoch]) for epoch in shown], ACCENT, "validation")
        chart.line([(kept, lowest), (kept, highest)], INK, f"epoch {kept} kept", dashed=True)
        return chart.markdown("loss curves", x_label="epoch", y_label="loss")

    return in_place(draw, len(train))


def calibration(predicted: "np.ndarray", observed: "np.ndarray") -> dg.MetadataValue:
    """Draw mean label over mean prediction in bins of equal size.

    Args:
        predicted: `(n_rows,)` predictions in [0, 1], at least one.
        observed: `(n_rows,)` labels in [0, 1].

    Returns:
        Markdown with the picture.
    """
    means = [(float(predicted[rows].mean()), float(observed[rows].mean())) for rows in _bins(predicted, _N_BINS)]
    limits = (min(map(min, means)), max(map(max, means)))
    chart = Chart(limits, limits)
    chart.line([(limits[0], limits[0]), (limits[1], limits[1])], QUIET, "perfect", dashed=True)
    chart.dots(means, ACCENT, f"{len(means)} bins of equal size")
    return chart.markdown("calibration", x_label="mean prediction, test rows", y_label="mean label")


def predicted_against_observed(predicted: "np.ndarray", observed: "np.ndarray") -> dg.MetadataValue:
    """Draw how labels spread around the predictions or, for labels 0 and 1, how predictions spread for each label.

    Args:
        predicted: `(n_rows,)` predictions in [0, 1], at least one.
        observed: `(n_rows,)` labels in [0, 1].

    Returns:
        Markdown with the picture.
    """
    import numpy as np

    if np.isin(observed, (0.0, 1.0)).all():
        return _predictions_by_label(predicted, observed)
    bins = _bins(predicted, _N_SPANS)
    at = [float(predicted[rows].mean()) for rows in bins]
    low, middle, high = np.array([np.quantile(observed[rows], (0.1, 0.5, 0.9)) for rows in bins], dtype=float).T
    chart = Chart((min(at), max(at)), (float(low.min()), float(high.max())))
    chart.spans(zip(at, low.tolist(), high.tolist(), strict=True), QUIET, "10% to 90%")
    chart.dots(zip(at, middle.tolist(), strict=True), ACCENT, "median")
    return chart.markdown("predicted against observed", x_label="prediction, test rows", y_label="label")


def _predictions_by_label(predicted: "np.ndarray", observed: "np.ndarray") -> dg.MetadataValue:
    import numpy as np

    edges = np.linspace(float(predicted.min()), max(float(predicted.max()), float(predicted.min()) + 1e-6), 21)
    centres = ((edges[1:] + edges[:-1]) / 2).tolist()
    shares = {
        label: (np.histogram(predicted[observed == label], edges)[0] / max(1, int((observed == label).sum()))).tolist()
        for label in (0.0, 1.0)
    }
    chart = Chart((float(edges[0]), float(edges[-1])), (0.0, max(map(max, shares.values()))))
    chart.line(zip(centres, shares[0.0], strict=True), QUIET, "label 0")
    chart.line(zip(centres, shares[1.0], strict=True), ACCENT, "label 1")
    return chart.markdown("predicted against observed", x_label="prediction, test rows", y_label="share of rows")


def bars(values: Mapping[str, float], alt: str) -> dg.MetadataValue:
    """Draw horizontal bars, longest on top.

    Args:
        values: Length per name, at least 0; may be empty; the longest few are drawn.
        alt: What the length means, with its unit.

    Returns:
        Markdown with the picture.
    """
    ordered = sorted(values.items(), key=lambda item: -item[1])
    return charts.bar_lines(ordered[:_N_BARS], alt)


def comparison(estimates: Mapping[str, "Estimate | None"], about: str, alt: str) -> dg.MetadataValue:
    """Draw what several predictors, arms or rules reach, each with its interval, and the one it is about in colour.

    Args:
        estimates: What each reaches; those without a value are left out, and the last ones for which there is no room.
        about: Which of them the picture is about: on top, with a line through all others.
        alt: What is compared, with its unit.

    Returns:
        Markdown with the picture, or a sentence when there is no value to draw.
    """
    names = sorted(estimates, key=lambda name: name != about)
    rows = [row for name in names if (row := _span(name, estimates[name]))]
    if not rows:
        return dg.MetadataValue.text(f"nothing to compare yet: {alt}")
    n_accented = 1 if rows[0][0] == about else 0
    for n_shown in range(min(len(rows), _N_BARS), 0, -1):
        picture = charts.intervals(rows[:n_shown], rows[0][1], rows[0][0], alt, n_accented=n_accented)
        if len(str(picture.value)) < charts.SHOWN_IN_PLACE:
            break
    return picture


def _span(name: str, estimate: "Estimate | None") -> tuple[str, float, float, float] | None:
    if estimate is None or estimate.value is None:
        return None
    ends = (estimate.low, estimate.high)
    low, high = (end if end is not None else estimate.value for end in ends)
    return name, estimate.value, low, high


def importances(groups: Sequence["Importance"], floor: float | None, alt: str) -> dg.MetadataValue:
    """Draw an interval per group of inputs, and the noise floor as a line through all of them.

    Args:
        groups: What was measured, from top to bottom; the first few are drawn.
        floor: What noise reaches; None where that is not known, and the line is at 0.
        alt: What is measured, with its unit.

    Returns:
        Markdown with the picture.
    """
    rows = [
        (one.name, one.value, *((one.value, one.value) if one.low is None or one.high is None else (one.low, one.high)))
        for one in groups[:_N_BARS]
    ]
    mark_name = "0, noise unknown" if floor is None else f"noise {charts.tick(floor)}"
    return charts.intervals(rows, floor or 0.0, mark_name, alt)


def latency_distribution(one_row: "LatencySummary", empty_graph: "LatencySummary") -> dg.MetadataValue:
    """Draw which share of the calls was faster than a time, for the model and for an empty graph.

    Args:
        one_row: Latency of one row.
        empty_graph: Latency of a graph that only passes its input on.

    Returns:
        Markdown with the picture; the slowest hundredth is left out of it.
    """
    slowest = max(one_row.quantiles_us[99], empty_graph.quantiles_us[99])

    def draw(shown: Sequence[int]) -> dg.MetadataValue:
        chart = Chart((0.0, slowest), (0.0, 1.0))
        for summary, colour, name in ((empty_graph, QUIET, "empty graph"), (one_row, ACCENT, "model")):
            chart.line([(summary.quantiles_us[share], share / 100) for share in shown], colour, name)
        chart.line([(one_row.p99_us, 0.0), (one_row.p99_us, 1.0)], INK, f"p99 {one_row.p99_us:.1f}", dashed=True)
        return chart.markdown("latency distribution", x_label="microseconds, one row", y_label="share of calls")

    return in_place(draw, 100)


def performance_over_time(rows: Sequence["PerformanceRow"], metric: str) -> dg.MetadataValue:
    """Draw a metric by day, for the formula and the two versions that were seen last.

    Args:
        rows: Stored performance, at least one row; all of one origin.
        metric: Which metric, e.g. `called_rate`.

    Returns:
        Markdown with the picture, or a sentence when the metric is defined on no day.
    """
    values = {(row.arm, row.day): value for row in rows if (value := row.metric(metric).value) is not None}
    title = metric.replace("_", " ")
    if not values:
        return dg.MetadataValue.text(f"no day with a {title} yet")
    days = sorted({row.day for row in rows})
    if len(days) == 1:
        newest = _newest_arms(rows)
        reached = {row.arm: row.metric(metric) for row in rows if row.arm in newest}
        about = next((arm for arm in newest if arm != "formula"), newest[0])
        return comparison(reached, about, f"{title} up to {days[0]}, the only day so far")
    colours = dict(zip(_newest_arms(rows), (QUIET, ACCENT, INK), strict=False))
    lowest, highest = min(values.values()), max(values.values())

    def draw(shown: Sequence[int]) -> dg.MetadataValue:
        chart = Chart((min(-1, (days[0] - days[-1]).days), 0), (lowest, highest))
        for arm, colour in colours.items():
            points = [((days[at] - days[-1]).days, values[arm, days[at]]) for at in shown if (arm, days[at]) in values]
            name = arm.removeprefix(f"{model_in(Role.NEURAL_SCORE).name} ")
            if len(points) > 1:
                chart.line(points, colour, name)
            elif points:
                chart.dots(points, colour, name)
        return chart.markdown(f"{title} by day", x_label=f"days before {days[-1]}", y_label=title)

    return in_place(draw, len(days))


def _newest_arms(rows: Sequence["PerformanceRow"]) -> list[str]:
    """The formula, if it decided at all, and the others by the last day they were seen on, then by decisions on it."""
    last = {row.arm: (row.day, row.n_decisions) for row in sorted(rows, key=lambda row: row.day)}
    return sorted(last, key=lambda arm: (arm == "formula", last[arm]), reverse=True)[:3]


def in_place(draw: Callable[[Sequence[int]], dg.MetadataValue], n_points: int) -> dg.MetadataValue:
    """Draw with ever fewer of the points, evenly left out, until the page shows the picture in place.

    Args:
        draw: Draws the points at the positions it is given.
        n_points: How many points there are.

    Returns:
        The first picture that is small enough, else the smallest.
    """
    for n_shown in _POINTS_PER_LINE:
        picture = draw(sorted({*range(0, n_points, -(-n_points // n_shown)), n_points - 1}))
        if len(str(picture.value)) < charts.SHOWN_IN_PLACE:
            break
    return picture


def _bins(predicted: "np.ndarray", n_bins: int) -> list["np.ndarray"]:
    """Rows in bins of equal size, by prediction."""
    import numpy as np

    return [rows for rows in np.array_split(np.argsort(predicted), n_bins) if len(rows)]
