"""The sequential sample-ratio test: silent at the declared share whatever it is, and not where another came."""

import math

import numpy as np
import pytest

from spots_ml.errors import ConfigError
from spots_ml.estimates.sample_ratio import log_e_of_agents, log_e_of_counts

NEEDED = math.log(1_000.0)


def peaks(rng, *, share, truth, n, worlds):
    return np.array([log_e_of_agents(rng.random(n) < truth, share).max() for _ in range(worlds)])


def test_the_order_of_agents_does_not_change_where_it_ends():
    treated = np.random.default_rng(1).random(300) < 0.3
    ends = [log_e_of_agents(order, 0.25)[-1] for order in (treated, np.sort(treated), np.sort(treated)[::-1])]
    assert ends == pytest.approx([log_e_of_counts(int(treated.sum()), int((~treated).sum()), 0.25)] * 3)


def test_it_is_what_an_independent_beta_binomial_test_says():
    ville = pytest.importorskip("ville", reason="an environment of before it was among the tests' requirements")
    treated = np.random.default_rng(2).random(500) < 0.2
    theirs = ville.BernoulliTest(0.1, prior=(1.0, 1.0)).fit(treated.astype(float)).log_e_values_
    assert log_e_of_agents(treated, 0.1) == pytest.approx(theirs)


def test_by_hand():
    # One treated agent of a flat prior: 1/2 against 0.1; the second: 1/3 (not treated) against 0.9.
    assert np.exp(log_e_of_agents(np.array([True, False]), 0.1)) == pytest.approx([5.0, 5.0 / 3.0 / 0.9])


@pytest.mark.parametrize("share", [0.1, 0.4444, 0.5])
def test_it_is_silent_at_the_share_that_was_declared(share):
    assert (peaks(np.random.default_rng(3), share=share, truth=share, n=4_000, worlds=400) < NEEDED).mean() >= 0.99


def test_it_alarms_when_a_third_comes_instead_of_a_fifth():
    assert (peaks(np.random.default_rng(4), share=0.2, truth=0.33, n=600, worlds=200) >= NEEDED).mean() >= 0.99


def test_few_agents_are_enough_where_all_are_in_the_arm_that_few_should_be_in():
    assert log_e_of_agents(np.ones(4, bool), 0.1)[-1] >= NEEDED
    assert log_e_of_agents(np.zeros(40, bool), 0.5)[-1] >= NEEDED


def test_without_agents_nothing_speaks_against_the_share():
    assert log_e_of_counts(0, 0, 0.1) == 0.0 and len(log_e_of_agents(np.zeros(0, bool), 0.1)) == 0


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_that_leaves_nobody_is_refused(share):
    with pytest.raises(ConfigError, match="between 0 and 1"):
        log_e_of_counts(1, 1, share)
