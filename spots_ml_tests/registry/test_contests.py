"""How two ways to answer are held against each other, and when a slice refuses."""

import numpy as np
import pytest
from scipy import stats

from spots_ml.estimates.agents import Agents, Resampling
from spots_ml.registry.gates.blessing_rules import BlessingRules
from spots_ml.registry.gates.contests import Contest, compare, compare_on_slices, holm, p_below_nought

RULES = BlessingRules(n_resamples=400)
AGAINST = {"subject": "network", "against": "v1.0-real", "metric": "mse"}
DRAWN = Resampling(3, 400)


def errors(own, other, **changes):
    return Contest(**AGAINST, own=np.asarray(own, float), other=np.asarray(other, float), is_error=True, **changes)


def noisy(mean, n_agents, per_agent=5, seed=0):
    generator = np.random.default_rng(seed)
    return mean + 0.01 * np.repeat(generator.normal(size=n_agents), per_agent)


def test_one_agent_a_row_is_a_one_sided_t_test():
    values = np.random.default_rng(1).normal(-0.3, 1.0, 40)
    expected = stats.ttest_1samp(values, 0.0, alternative="less").pvalue

    assert p_below_nought(values, Agents.of(np.arange(40)), 40.0) == pytest.approx(expected, rel=1e-9)


def test_rows_of_one_agent_are_one_vote():
    """Ten times the same rows say no more than once."""
    values = np.random.default_rng(1).normal(-0.3, 1.0, 40)
    once = p_below_nought(values, Agents.of(np.arange(40)), 40.0)

    assert p_below_nought(np.repeat(values, 10), Agents.of(np.repeat(np.arange(40), 10)), 40.0) == pytest.approx(once)


@pytest.mark.parametrize(("value", "expected"), [(0.1, 1.0), (0.0, 1.0), (-0.1, 0.0)])
def test_where_all_agents_are_alike_the_sign_decides(value, expected):
    assert p_below_nought(np.full(20, value), Agents.of(np.arange(20)), 20.0) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("p_values", "rejected"),
    [
        ([], []),
        ([0.04], [True]),
        ([0.04, 0.04], [False, False]),
        ([0.01, 0.04], [True, True]),
        ([0.2, 0.016, 0.026, 0.9], [False, False, False, False]),
        ([0.2, 0.012, 0.016, 0.9], [False, True, True, False]),
    ],
)
def test_holm_steps_down_until_one_is_not_rejected(p_values, rejected):
    assert holm(p_values, 0.05) == rejected


def test_of_versions_that_are_nowhere_worse_few_are_refused_for_any_of_many_slices():
    """Without the correction more than every second one was."""
    generator, n_refused, n_uncorrected = np.random.default_rng(7), 0, 0
    n_worlds, slices = 300, {f"slice_{place}": np.arange(1_000) % 25 == place for place in range(25)}
    rules = BlessingRules(least_slice_agents=30, slice_error_margin=0.0)
    for _ in range(n_worlds):
        other = generator.random(1_000)
        contest = errors(other + generator.normal(0.0, 0.2, 1_000), other)
        p_values = [
            p_below_nought(one.spare(0.0), Agents.of(np.arange(40)), 40.0) for one in map(contest.take, slices.values())
        ]
        n_refused += any(holm(p_values, rules.slice_level))
        n_uncorrected += min(p_values) < rules.slice_level
    assert n_uncorrected / n_worlds > 0.5
    assert n_refused / n_worlds < 0.05 + 3 * np.sqrt(0.05 * 0.95 / n_worlds)


def test_better_is_good_enough_and_worse_within_the_margin_too():
    agents = Agents.of(np.repeat(np.arange(40), 5))
    other = noisy(0.20, 40)
    for factor, passes in ((0.9, True), (1.0, True), (1.015, True), (1.03, False), (1.2, False)):
        (found,) = compare([errors(factor * other, other)], agents, RULES, DRAWN)
        assert found.passed is passes, factor
        assert found.better_by.value == pytest.approx(found.other - found.own, abs=1e-7)


def test_what_may_be_true_is_not_enough_it_must_be_shown():
    """Better by its number, and not known to be no worse than the margin."""
    generator = np.random.default_rng(2)
    other = generator.random(45)
    noise = generator.normal(0, 0.2, 45)
    (found,) = compare([errors(other - 0.001 + noise, other)], Agents.of(np.arange(45)), RULES, DRAWN)

    assert found.margin_left.low < 0.0
    assert not found.passed


def test_answers_that_are_the_same_everywhere_are_no_worse_and_a_constant_loss_is_one():
    agents, other = Agents.of(np.arange(40)), np.full(40, 0.25)

    same, worse = compare([errors(other, other), errors(other + 0.001, other)], agents, RULES, DRAWN)
    assert (same.passed, worse.passed) == (True, False)


def test_a_margin_of_an_error_is_a_share_and_one_of_a_value_an_amount():
    value = Contest("hybrid_at_0.1", "formula", "value", np.array([0.5]), np.array([0.6]), is_error=False)

    assert value.spare(0.05).tolist() == pytest.approx([-0.05])
    assert errors([0.5], [0.4]).spare(0.05).tolist() == pytest.approx([-0.08])
    assert errors([0.5], [0.4], ships=False).margin(RULES) == RULES.answer_margin
    assert (errors([1], [1]).margin(RULES), value.margin(RULES)) == (RULES.error_margin, RULES.value_margin)
    assert value.margin(RULES, on_slice=True) == RULES.slice_value_margin


def test_a_slice_refuses_where_it_is_much_worse_and_not_where_it_has_few_agents():
    rows = np.repeat(np.arange(80), 5)
    other = noisy(0.2, 80)
    bad = rows < 40
    own = np.where(bad, 1.5 * other, 0.9 * other)
    slices = {"bad": bad, "good": ~bad, "few": rows < 20}

    found = {one.slice_name: one for one in compare_on_slices([errors(own, other)], rows, slices, RULES, DRAWN)}
    assert {name: one.passed for name, one in found.items()} == {"bad": False, "good": True, "few": True}
    assert found["few"].p_worse is None
    assert (found["bad"].n_rows, found["bad"].effective_agents) == (200, 40.0)
    assert found["few"].better_by.value < 0.0
