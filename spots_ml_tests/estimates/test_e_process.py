"""E-processes by betting: right by hand, bounded by Ville, as wide as an independent one, and whole for any payoff."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spots_ml.errors import ConfigError
from spots_ml.estimates.e_process import (
    BETS,
    LARGEST_STAKE,
    Payoffs,
    confidence_sequence,
    log_e_above,
    log_e_below,
    running_peak,
)


def payoffs(values, *, low=-1.0, high=1.0, weight=1.0):
    values = np.asarray(values, dtype=np.float64)
    return Payoffs(values, np.full(len(values), weight), np.full(len(values), low), np.full(len(values), high))


def trial(rng, n, share, effect, *, base=0.4):
    """Units treated with a share, whose values are 0 or 1; the prediction is right."""
    treated = rng.random(n) < share
    value = (rng.random(n) < base + effect * treated).astype(float)
    residual = value - base
    spread = np.full(n, max(share, 1.0 - share))
    return Payoffs((treated - share) * residual, np.full(n, share * (1.0 - share)), -spread, spread), treated, value


def test_wealth_is_the_mean_over_bets_of_the_product_of_what_each_made():
    values = [0.5, -0.25, 1.0]
    by_hand = [np.mean([math.prod(1.0 + bet * x for x in values[:n]) for bet in (0.1, 0.4)]) for n in (1, 2, 3)]
    assert np.exp(log_e_above(payoffs(values), 0.0, (0.1, 0.4))) == pytest.approx(by_hand)


def test_another_null_is_subtracted_by_weight_and_bets_are_cut_where_more_can_be_lost():
    found = np.exp(log_e_above(payoffs([0.5], weight=0.25), 2.0, (0.1, 0.9)))
    cut = LARGEST_STAKE / (1.0 + 2.0 * 0.25)  # a payoff of -1 would lose 1.5
    assert found == pytest.approx([np.mean([1.0 + 0.1 * (0.5 - 0.5), 1.0 + cut * (0.5 - 0.5)])])
    assert np.exp(log_e_above(payoffs([-1.0], weight=0.25), 2.0, (0.9,))) == pytest.approx([1.0 - LARGEST_STAKE])


def test_evidence_below_is_evidence_above_of_the_reversed():
    values = np.random.default_rng(1).uniform(-1.0, 1.0, 100)
    assert np.array_equal(log_e_below(payoffs(values), 0.1), log_e_above(payoffs(-values), -0.1))


def test_many_payoffs_are_worth_what_they_are_in_one_piece():
    values = np.random.default_rng(2).uniform(-0.9, 1.0, 20_001)
    by_bets = [np.cumsum(np.log1p(bet * values)) for bet in BETS]
    whole = np.logaddexp.reduce(by_bets, axis=0) - math.log(len(BETS))
    assert log_e_above(payoffs(values), 0.0) == pytest.approx(whole, abs=1e-8)


@given(st.lists(st.floats(-1.0, 1.0), max_size=40), st.floats(-2.0, 2.0))
@settings(max_examples=60, deadline=None)
def test_wealth_stays_positive_whatever_is_paid(values, null):
    assert np.isfinite(log_e_above(payoffs(values), null)).all()
    assert np.isfinite(log_e_below(payoffs(values), null)).all()


@given(st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=40), st.floats(-1.0, 1.0), st.floats(0.0, 0.5))
@settings(max_examples=60, deadline=None)
def test_the_larger_the_null_the_less_speaks_against_it(values, null, more):
    stream = payoffs(values)
    assert (log_e_above(stream, null + more) <= log_e_above(stream, null) + 1e-9).all()


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_no_effect_is_rejected_at_any_moment_as_seldom_as_ville_says(share):
    rng = np.random.default_rng(3)
    peaks = [log_e_above(trial(rng, 600, share, 0.0)[0], 0.0).max() for _ in range(2_000)]
    rejected = np.mean(np.array(peaks) >= math.log(20.0))
    assert 0.002 <= rejected <= 0.05  # at most the level, and not so far below that it would find nothing


def test_a_test_that_forgets_how_often_it_looks_breaks_that_bound():
    rng = np.random.default_rng(4)
    worlds = [trial(rng, 600, 0.5, 0.0)[0] for _ in range(500)]
    z = [np.cumsum(each.payoff) / np.sqrt(np.cumsum(each.payoff**2)) for each in worlds]
    assert np.mean([each[50:].max() >= 1.645 for each in z]) > 0.1


def test_the_interval_holds_the_effect_at_every_look_and_is_about_as_narrow_as_anothers():
    ville = pytest.importorskip("ville", reason="an environment of before it was among the tests' requirements")
    rng = np.random.default_rng(5)
    missed, ours, theirs = 0, [], []
    for _ in range(150):
        stream, treated, value = trial(rng, 1_500, 0.4, 0.1)
        looks = []
        for n in (150, 400, 800, 1_500):
            part = Payoffs(*(each[:n] for each in (stream.payoff, stream.weight, stream.low, stream.high)))
            looks.append(confidence_sequence(part, level=0.95, lowest=-1.0, highest=1.0))
        missed += any(not low <= 0.1 <= high for low, high in looks)
        ours.append(looks[-1][1] - looks[-1][0])
        if len(theirs) < 10:
            other = ville.BettingABTest(bounds=(0.0, 1.0), alpha=0.05, propensity=0.4).fit(value, treated.astype(float))
            low, high = other.interval()
            theirs.append(high - low)
    assert missed / 150 <= 0.05
    assert np.mean(ours) <= 1.1 * np.mean(theirs)


def test_the_interval_leaves_out_exactly_what_the_evidence_rejects():
    stream = trial(np.random.default_rng(6), 2_000, 0.5, 0.2)[0]
    low, high = confidence_sequence(stream, level=0.9, lowest=-1.0, highest=1.0)
    needed = math.log(20.0)
    assert log_e_above(stream, low - 1e-4)[-1] >= needed > log_e_above(stream, low + 1e-4)[-1]
    assert log_e_below(stream, high + 1e-4)[-1] >= needed > log_e_below(stream, high - 1e-4)[-1]


def test_without_payoffs_nothing_is_known():
    assert confidence_sequence(payoffs([]), level=0.95, lowest=-2.0, highest=2.0) == (-2.0, 2.0)
    assert len(log_e_above(payoffs([]), 0.0)) == 0 and payoffs([]).estimate is None


def test_payoffs_of_one_moment_count_after_the_last_of_them():
    looks = np.array([False, True, False, True])
    assert running_peak(np.array([9.0, 1.0, 7.0, 2.0]), looks).tolist() == [0.0, 1.0, 1.0, 2.0]


@pytest.mark.parametrize("value", [1.5, -1.5, math.nan])
def test_a_payoff_outside_of_its_bounds_is_refused(value):
    with pytest.raises(ConfigError, match="within its bounds"):
        payoffs([0.0, value])


def test_as_many_bounds_as_payoffs():
    with pytest.raises(ConfigError, match="as many"):
        Payoffs(np.zeros(2), np.ones(3), -np.ones(2), np.ones(2))
