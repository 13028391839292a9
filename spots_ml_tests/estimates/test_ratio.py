"""Relative differences: their intervals hold the truth, with the covariance and with it alone."""

import numpy as np
import pytest

from spots_ml.estimates.ratio import relative_difference


def draws(rng, n, *, together):
    common = rng.normal(0.0, 0.3, n)
    return 1.1 + common + rng.normal(0.0, 0.1, n), 1.0 + together * common + rng.normal(0.0, 0.1, n)


@pytest.mark.parametrize("together", [1.0, -1.0])
def test_the_interval_holds_the_ratio_however_both_vary_together(together):
    rng = np.random.default_rng(1)
    found = [relative_difference(*draws(rng, 60, together=together)) for _ in range(600)]
    assert 0.93 <= np.mean([each.low <= 0.1 <= each.high for each in found]) <= 0.97


def test_without_the_covariance_the_interval_would_be_another():
    rng = np.random.default_rng(2)
    ones, others = draws(rng, 400, together=1.0)
    whole = relative_difference(ones, others)
    apart = relative_difference(ones, rng.permutation(others))
    assert (whole.high - whole.low) < 0.5 * (apart.high - apart.low)


def test_it_is_wider_than_the_absolute_interval_divided_by_the_mean():
    rng = np.random.default_rng(3)
    ones, others = rng.normal(1.5, 0.5, 400), rng.normal(1.0, 0.5, 400)
    found = relative_difference(ones, others)
    divided = 2 * 1.96 * np.std(ones - others, ddof=1) / 20.0 / others.mean()
    assert found.high - found.low > 1.2 * divided


def test_there_is_no_interval_where_the_second_mean_may_be_0():
    rng = np.random.default_rng(4)
    found = relative_difference(rng.normal(1.0, 1.0, 50), rng.normal(0.0, 1.0, 50))
    assert found.value is not None and (found.low, found.method) == (None, "none")


def test_nothing_is_said_of_nothing_or_of_a_mean_of_0():
    assert relative_difference(np.empty(0), np.empty(0)).value is None
    assert relative_difference(np.ones(9), np.zeros(9)).value is None
    assert relative_difference(np.ones(3), np.ones(3)).low is None
