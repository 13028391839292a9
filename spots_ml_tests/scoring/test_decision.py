"""The decision against the app's order of steps, one row at a time, and at its edges."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spots_ml.scoring.decision import decide_calls
from spots_ml.scoring.exploration import chances, explore

unit = st.floats(0.0, 1.0)


def decided(formula, neural, probability, weight, boost):
    """The rule as it is written, in scalar Python."""
    hybrid = formula if math.isnan(neural) else (1.0 - weight) * formula + weight * neural
    if probability <= 0.70:
        return hybrid, hybrid, True, False
    score = min(hybrid * probability * (1.0 + boost), 1.0)
    return hybrid, score, False, score >= 0.70


rows = st.lists(st.tuples(unit, unit | st.just(math.nan), unit, unit, st.floats(-0.1, 0.2)), min_size=1, max_size=30)


@given(rows)
def test_many_rows_are_decided_as_the_rule_decides_each(told):
    formula, neural, probability, weight, boost = map(np.array, zip(*told, strict=True))
    found = decide_calls(formula, neural, probability, weight=weight, trend_boost=boost)

    for index, row in enumerate(told):
        one = (found.hybrid_score[index], found.score[index], found.blocked[index], found.called[index])
        assert one == decided(*row)


@given(unit, unit, st.floats(0.0, 1.0))
def test_the_blend_lies_between_both_scores_and_a_weight_of_0_is_the_formula_itself(formula, neural, weight):
    some, none = decide_calls(
        np.array([formula, formula]),
        np.array([neural, neural]),
        np.array([0.9, 0.9]),
        weight=np.array([weight, 0.0]),
    ).hybrid_score

    assert min(formula, neural) - 1e-12 <= some <= max(formula, neural) + 1e-12
    assert none == formula


@pytest.mark.parametrize(
    ("formula", "probability", "boost", "blocked", "called"),
    [
        (1.0, 0.7, 0.0, True, False),  # at the filter's edge nobody is called
        (1.0, np.nextafter(0.7, 1.0), 0.0, False, True),
        (0.7, 1.0, 0.0, False, True),  # at the threshold the agent is called
        (np.nextafter(0.7, 0.0), 1.0, 0.0, False, False),
        (0.6, 1.0, 0.2, False, True),  # the boost carries it over
        (0.75, 1.0, -0.1, False, False),
        (0.9, float(np.float32(0.7)), 0.2, True, False),  # 0.7 as a phone's float32 is not above 0.7
    ],
)
def test_edges(formula, probability, boost, blocked, called):
    found = decide_calls(
        np.array([formula]), np.array([np.nan]), np.array([probability]), weight=np.zeros(1), trend_boost=boost
    )

    assert (found.blocked[0], found.called[0]) == (blocked, called)


def test_the_coin_is_the_same_for_the_same_decision_and_fair_over_many():
    n = 20_000
    agents, places = [f"a{number % 700}" for number in range(n)], [f"o{number}" for number in range(n)]
    at = np.datetime64("2026-01-01", "us") + 1000 * np.arange(n)
    drawn = chances(agents, places, at)
    order = np.random.default_rng(0).permutation(n)

    assert np.array_equal(drawn[order], chances([agents[i] for i in order], [places[i] for i in order], at[order]))
    assert not np.array_equal(drawn, chances(agents, places, at, salt="another"))
    assert ((drawn >= 0) & (drawn < 1)).all()
    assert np.abs(drawn.mean(axis=0) - 0.5).max() < 0.01
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.03


def test_decisions_of_one_moment_and_neighbouring_ids_are_explored_at_the_rate_told_and_independently():
    n = 100_000
    agents, places = [f"a{number // 100}" for number in range(n)], [f"o{number % 100}" for number in range(n)]
    chance = chances(agents, places, np.full(n, np.datetime64("2026-01-01", "us")))
    called = np.arange(n) % 2 == 0
    decided_now, explored, propensity = explore(called, np.zeros(n, bool), np.full(n, 0.8), chance, share=0.2)

    error = np.sqrt(0.2 * 0.8 / n)
    assert abs(explored.mean() - 0.2) < 4 * error
    turned = decided_now != called
    assert abs(turned.mean() - 0.1) < 4 * error
    assert np.array_equal(propensity, np.where(turned, 0.1, 0.9))
    # Neither within an agent nor within an opportunity does one decision say anything about another.
    for lag in (1, 2, 50, 100):
        assert abs(np.corrcoef(turned[:-lag], turned[lag:])[0, 1]) < 4 / np.sqrt(n)
    for spread in (explored.reshape(-1, 100).sum(axis=1), explored.reshape(-1, 100).sum(axis=0)):
        expected = len(explored) / len(spread) * 0.2 * 0.8
        assert abs(spread.var() / expected - 1) < 4 * np.sqrt(2 / len(spread))


def test_the_coin_is_that_of_the_interaction_which_is_told_by_the_millisecond():
    at = np.array(["2026-01-01T00:00:00.123000", "2026-01-01T00:00:00.123999", "2026-01-01T00:00:00.124"], "M8[us]")
    first, same, other = chances(["a"] * 3, ["o"] * 3, at).tolist()

    assert first == same != other


@pytest.mark.parametrize(("agent", "opportunity"), [(None, "o"), ("a", None), (None, None)])
def test_without_an_agent_or_an_opportunity_nothing_is_left_to_a_coin(agent, opportunity):
    at = np.full(1000, np.datetime64("2026-01-01", "us"))
    chance = chances([agent] * 1000, [opportunity] * 1000, at)
    decided_now, explored, propensity = explore(
        np.ones(1000, bool), np.zeros(1000, bool), np.full(1000, 0.9), chance, share=0.2
    )

    assert decided_now.all() and not explored.any() and (propensity == 1.0).all()


def test_the_coin_never_calls_what_the_outcome_filter_blocked():
    chance = np.zeros((2, 2))
    decided_now, explored, propensity = explore(
        np.array([False, False]), np.array([True, False]), np.array([0.9, 0.9]), chance, share=0.2
    )

    assert decided_now.tolist() == explored.tolist() == [False, True]
    assert propensity.tolist() == [1.0, 0.1]


@given(st.floats(0.0, 0.2), st.integers(0, 2**32 - 1))
def test_propensities_are_those_of_what_was_decided(share, seed):
    generator = np.random.default_rng(seed)
    n = 4000
    called, hybrid, chance = generator.random(n) < 0.5, generator.random(n), generator.random((n, 2))
    blocked = generator.random(n) < 0.2
    called &= ~blocked
    decided_now, explored, propensity = explore(called, blocked, hybrid, chance, share=share)

    eligible = (hybrid >= 0.5) & ~blocked
    assert not (decided_now & blocked).any()
    assert np.array_equal(decided_now[~explored], called[~explored])
    assert not explored[~eligible].any()
    assert (propensity[~eligible] == 1.0).all()
    assert np.allclose(propensity[eligible & (decided_now != called)], share / 2)
    assert np.allclose(propensity[eligible & (decided_now == called)], 1 - share / 2)


@pytest.mark.parametrize(("hybrid", "explored"), [(0.5, True), (np.nextafter(0.5, 0.0), False), (0.0, False)])
def test_below_a_half_nothing_is_left_to_chance(hybrid, explored):
    decided_now, left_to_chance, propensity = explore(
        np.array([False]), np.array([False]), np.array([hybrid]), np.array([[0.0, 0.0]]), share=0.2
    )

    assert (decided_now[0], left_to_chance[0]) == (explored, explored)
    assert propensity[0] == (0.1 if explored else 1.0)


def test_weighting_by_propensity_recovers_what_calling_everybody_would_have_given():
    generator = np.random.default_rng(1)
    n = 400_000
    hybrid = 0.5 + 0.5 * generator.random(n)
    good = generator.random(n) < hybrid
    called, _, propensity = explore(hybrid >= 0.7, np.zeros(n, bool), hybrid, generator.random((n, 2)), share=0.2)

    estimate = np.mean(called * good / propensity)
    assert abs(estimate - good.mean()) < 0.01
