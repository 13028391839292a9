"""Pictures that the asset page shows in place, and what is in them."""

import re

import numpy as np
import pytest

from spots_ml.defs.pages import plots, tables
from spots_ml.defs.pages.charts import ACCENT, QUIET, SHOWN_IN_PLACE
from spots_ml.estimates.estimate import Estimate
from spots_ml.release.latency.report import LatencySummary
from spots_ml_tests.defs.pictures import svg, texts

GENERATOR = np.random.default_rng(5)


def losses(n_epochs):
    return list(0.63 + 0.02 * np.exp(-np.arange(n_epochs) / 40) + GENERATOR.normal(0, 0.004, n_epochs))


def summary(centre):
    quantiles = np.sort(GENERATOR.lognormal(np.log(centre), 0.4, 101))
    p50, p95, p99 = quantiles[[50, 95, 99]]
    return LatencySummary(
        p50_us=p50, p95_us=p95, p99_us=p99, max_us=quantiles[-1], quantiles_us=tuple(quantiles.tolist())
    )


PREDICTED = GENERATOR.uniform(0.2, 0.9, 1_500)
SCORES = np.clip(PREDICTED + GENERATOR.normal(0, 0.2, 1_500), 0, 1)
LABELS = (SCORES > 0.5).astype(float)


def estimate(value, margin=0.01):
    low, high = (None, None) if margin is None or value is None else (value - margin, value + margin)
    return Estimate(value=value, low=low, high=high)


REACHED = {
    "constant": estimate(0.25),
    "formula": estimate(0.24, None),
    "nobody": estimate(None),
    "network": estimate(0.23),
}

PICTURES = {
    "one epoch": lambda: plots.loss_curves([0.5], [0.6], 0),
    "two epochs": lambda: plots.loss_curves([0.5, 0.5], [0.5, 0.5], 1),
    "60 epochs": lambda: plots.loss_curves(losses(60), losses(60), 41),
    "1,000 epochs": lambda: plots.loss_curves(losses(1_000), losses(1_000), 999),
    "calibration": lambda: plots.calibration(PREDICTED, LABELS),
    "calibration of a constant": lambda: plots.calibration(np.full(50, 0.5), np.full(50, 0.5)),
    "calibration of one row": lambda: plots.calibration(np.array([0.5]), np.array([1.0])),
    "scores": lambda: plots.predicted_against_observed(PREDICTED, SCORES),
    "labels": lambda: plots.predicted_against_observed(PREDICTED, LABELS),
    "labels of one kind": lambda: plots.predicted_against_observed(PREDICTED, np.ones(1_500)),
    "one prediction": lambda: plots.predicted_against_observed(np.full(50, 0.5), SCORES[:50]),
    "bars": lambda: plots.bars({"gradient_boosting": 0.2417, "ridge": 0.24, "network": 0.23}, "error"),
    "bars of nothing": lambda: plots.bars({}, "error"),
    "bars of zeros": lambda: plots.bars({"negative": 0.0}, "rows"),
    "many bars": lambda: plots.bars({f"opportunity_authenticity_{n}": n / 45 for n in range(45)}, "share"),
    "comparison": lambda: plots.comparison(REACHED, "network", "test error"),
    "comparison of many": lambda: plots.comparison(
        {"network": estimate(0.2), **{f"gradient_boosting_{n}": estimate(0.2 + n / 50) for n in range(9)}},
        "network",
        "test error",
    ),
    "latency": lambda: plots.latency_distribution(summary(8.0), summary(5.0)),
    "slow": lambda: plots.latency_distribution(summary(120_000.0), summary(5.0)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_small_enough_to_be_shown_in_place_and_stays_inside_its_frame(name):
    value = PICTURES[name]()
    assert len(value.value) < SHOWN_IN_PLACE
    alt, root = svg(value)
    assert alt
    assert "nan" not in value.value.lower().replace("dominant", "")
    for moves in re.findall(r"M(-?\d+) (-?\d+)", " ".join(path.get("d") for path in root.iter() if path.get("d"))):
        assert 0 <= int(moves[0]) <= int(root.get("width"))
        assert 0 <= int(moves[1]) <= int(root.get("height"))


def test_loss_curves_count_epochs_from_one_and_name_the_one_that_was_kept():
    _, root = svg(plots.loss_curves(losses(60), losses(60), 41))
    assert "loss: training validation epoch 42 kept" in texts(root)
    assert {"1", "60"} <= set(texts(root))


def test_bars_are_longest_first_and_carry_their_numbers():
    alt, root = svg(PICTURES["bars"]())
    assert alt == "error"
    assert texts(root) == ["gradient_boosting 0.242", "ridge 0.24", "network 0.23"]
    lengths = [int(length) for length in re.findall(r"h(\d+)", root[0].get("d"))]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[2] / lengths[0] == pytest.approx(0.23 / 0.2417, abs=0.01)


def test_a_comparison_has_intervals_and_the_one_it_is_about_on_top_in_its_own_colour():
    _, root = svg(PICTURES["comparison"]())
    assert texts(root) == ["network", "network 0.23", "constant 0.25", "formula 0.24"]
    coloured = {
        group.get("stroke"): [path.get("d") for path in group] for group in root.iter() if group.tag.endswith("}g")
    }
    own, others = coloured[ACCENT], coloured[QUIET]
    assert [len(re.findall("M", path)) for path in (*own, *others)] == [1, 1, 2, 2]
    ends = re.fullmatch(r"M(\d+) 9H(\d+)", own[0])
    assert int(ends[1]) < int(ends[2])


def test_nothing_to_compare_is_a_sentence():
    assert plots.comparison({"network": estimate(None)}, "network", "test error").value.startswith("nothing to compare")


def test_a_number_that_does_not_vary_stands_in_the_middle_of_its_axis_and_no_axis_reaches_below_zero():
    _, root = svg(plots.loss_curves([0.5, 0.5], [0.5, 0.5], 1))
    assert {"1", "0"} < set(texts(root)) and "-0.5" not in texts(root)


def test_a_bar_inside_a_table_cell_does_not_split_it():
    assert tables.markdown_table(["a"], [["x|y"]]).value.splitlines()[-1] == r"| x\|y |"


def test_sentences_are_broken_into_lines_that_fit_the_value_column():
    text = "better than the constant and the formula, and not worse than the others by more than 3 %, on the same rows"
    lines = tables.sentences([text]).value.split("  \n")
    assert " ".join(lines) == text
    assert max(map(len, lines)) <= 48
