"""The difference of two groups of agents: its interval holds the truth about as often as it says."""

import numpy as np
import pytest

from spots_ml.estimates.agents import Agents, Resampling
from spots_ml.estimates.difference import difference
from spots_ml.estimates.estimate import Estimate
from spots_ml.estimates.statistic import estimate_all, ratio

N_WORLDS = 200
RATES = (0.35, 0.45)


def measured(rng, rate, n_agents, rows_each=12):
    """A rate among rows of agents who differ: each has one of its own around `rate`."""
    own = np.clip(rng.beta(10 * rate, 10 * (1 - rate), n_agents), 0, 1)
    agent = np.repeat(np.arange(n_agents), rows_each)
    positive = (rng.random(len(agent)) < own[agent]).astype(float)
    agents = Agents.of(agent)
    statistic = ratio(agents, positive, np.ones(len(agent)), bounded=True)
    return estimate_all({"rate": statistic}, Resampling(0, 200))["rate"]


@pytest.mark.parametrize("n_agents", [(20, 20), (12, 60)])
def test_the_interval_holds_the_true_difference_as_often_as_it_says(n_agents):
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(N_WORLDS):
        found = difference(*(measured(rng, rate, n) for rate, n in zip(RATES, n_agents, strict=True)))
        held += found.low <= RATES[0] - RATES[1] <= found.high
    assert 0.91 <= held / N_WORLDS <= 0.99


def test_both_ends_turn_with_the_order():
    ours = Estimate(value=0.5, low=0.4, high=0.7, n_rows=10, n_agents=9)
    theirs = Estimate(value=0.3, low=0.1, high=0.4, n_rows=20, n_agents=12)
    one, other = difference(ours, theirs), difference(theirs, ours)
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
    assert (one.n_rows, one.n_agents, one.method) == (30, 9, "recovered_variance")


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        (Estimate(value=None, low=None, high=None), None),
        (Estimate(value=1.0, low=None, high=None), -0.5),
    ],
)
def test_without_a_value_there_is_none_and_without_an_interval_none(theirs, expected):
    found = difference(Estimate(value=0.5, low=0.4, high=0.6), theirs)
    assert (found.value, found.low, found.high, found.method) == (expected, None, None, "none")
