"""The delta method: beside SciPy where it is a plain mean, and beside resampling where it is not."""

import numpy as np
import pytest
from scipy import stats

from spots_ml.estimates.agents import Agents, Resampling
from spots_ml.estimates.estimate import linearised, lower_bound
from spots_ml.estimates.statistic import Difference, OfSums, ratio


def test_with_one_row_per_agent_it_is_the_t_interval_of_the_mean() -> None:
    values = np.random.default_rng(0).normal(2.0, 1.0, 25)
    (found,), ((variance,),) = linearised(values[:, None], np.ones((25, 1)))
    assert found == pytest.approx(values.mean())
    assert variance == pytest.approx(stats.sem(values) ** 2)
    one_sided = stats.ttest_1samp(values, 0.0, alternative="greater").confidence_interval(0.95)
    assert lower_bound(values, np.ones(25), 0.95) == pytest.approx(one_sided.low)


def test_a_ratio_worked_by_hand() -> None:
    # 6/12 = 0.5; influences (1 - 1)/12, (4 - 2)/12, (1 - 3)/12; 3/2 of the sum of their squares.
    (found,), ((variance,),) = linearised(np.array([[1.0], [4.0], [1.0]]), np.array([[2.0], [4.0], [6.0]]))
    assert found == 0.5
    assert variance == pytest.approx(1.5 * (4 + 4) / 144)


def two_ratios(n_agents: int) -> tuple[Agents, list[OfSums]]:
    """Two ratios that have much in common, of agents with unlike numbers of rows."""
    generator = np.random.default_rng(5)
    agent = np.repeat(np.arange(n_agents), 1 + generator.poisson(4, n_agents))
    agents = Agents.of(agent)
    shared = generator.normal(size=n_agents)[agent]
    asked = [generator.random(len(agent)) < share for share in (0.6, 0.5)]
    values = [shared + 0.5 * generator.normal(size=len(agent)) for _ in asked]
    return agents, [ratio(agents, value * one, one, bounded=False) for value, one in zip(values, asked, strict=True)]


def test_errors_and_their_covariance_are_those_of_resampling() -> None:
    agents, (one, other) = two_ratios(400)
    parts, wholes = (np.stack([one.sums[:, side], other.sums[:, side]], axis=1) for side in (0, 1))
    values, covariance = linearised(parts, wholes)
    drawn = np.concatenate(
        [np.stack([one.of(counts), other.of(counts)]) for counts in Resampling(1, 4_000).counts(agents.n)], axis=1
    )
    assert values == pytest.approx(drawn.mean(axis=1), abs=0.01)
    assert covariance == pytest.approx(np.cov(drawn), rel=0.1)
    assert covariance[0, 1] > 0.5 * covariance[0, 0]


def test_a_difference_without_its_covariance_would_be_far_too_uncertain() -> None:
    agents, (one, other) = two_ratios(400)
    parts, wholes = (np.stack([one.sums[:, side], other.sums[:, side]], axis=1) for side in (0, 1))
    covariance = linearised(parts, wholes)[1]
    drawn = np.concatenate([Difference(one, other).of(counts) for counts in Resampling(1, 4_000).counts(agents.n)])
    with_it = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert with_it == pytest.approx(drawn.var(), rel=0.1)
    assert covariance[0, 0] + covariance[1, 1] > 2 * with_it


def test_the_bound_is_below_the_truth_about_as_often_as_it_promises() -> None:
    held = 0
    for world in range(400):
        generator = np.random.default_rng(world)
        whole = 1.0 + generator.poisson(5, 12)
        bound = lower_bound(whole * generator.normal(1.0, 1.0, 12), whole, 0.95)
        held += bound is not None and bound <= 1.0
    assert 0.92 <= held / 400 <= 0.98


def test_one_agent_and_nothing_to_divide_by_have_no_bound() -> None:
    assert lower_bound(np.array([3.0]), np.array([4.0]), 0.95) is None
    assert lower_bound(np.zeros(5), np.zeros(5), 0.95) is None
    assert np.isnan(linearised(np.array([[3.0]]), np.array([[4.0]]))[1]).all()
