"""Drift is found when it is there and large, by agents and not by rows, and on few quiet days."""

import math

import numpy as np
import pytest
from scipy import stats

from spots_ml.monitoring.causes.drift import (
    LEAST_AGENTS,
    LEVEL,
    Column,
    measure_drift,
    one_row_each,
    stability_shift,
    told_drift,
)


def columns(random, n_now, *, n=39, learned=600, shift=0.0):
    """The first of them moves."""
    return [
        Column(
            f"input_{number}",
            random.beta(2, 2, learned),
            np.clip(random.beta(2, 2, n_now) + (shift if number == 0 else 0.0), 0.0, 1.0),
        )
        for number in range(n)
    ]


def found(columns, random, before=()):
    return [one.name for one in measure_drift(columns, before, random) if one.found]


def test_one_row_of_each_agent_is_drawn_and_any_of_them_may_be():
    agents = np.array([5, 5, 5, 5, 7, 9, 9])
    draws = [one_row_each(agents, np.random.default_rng(seed)) for seed in range(40)]

    assert all(sorted(agents[rows]) == [5, 7, 9] for rows in draws)
    assert {int(row) for rows in draws for row in rows} == set(range(7))


def test_an_input_that_moves_is_found_and_no_other():
    random = np.random.default_rng(1)
    drifted = measure_drift(columns(random, 200, shift=0.15), (), random)

    assert [one.name for one in drifted if one.found] == ["input_0"]
    assert told_drift(drifted, n_agents=200).startswith("1 of 39 columns drifted, by 200 agents: input_0 from 0.5")


def test_what_is_tested_is_the_two_sample_statistic_of_scipy():
    random = np.random.default_rng(2)
    (column,) = columns(random, 150, n=1, shift=0.05)
    binary = Column("labelled", np.repeat([0.0, 1.0], [40, 80]), np.repeat([0.0, 1.0], [90, 30]), binary=True)
    one, other = measure_drift([column, binary], (), random)

    assert one.p_value == pytest.approx(stats.ks_2samp(column.learned, column.now, method="asymp").pvalue)
    assert other.p_value == pytest.approx(stats.fisher_exact([[80, 30], [40, 90]]).pvalue)
    assert other.found and (other.learned_mean, other.now_mean) == (pytest.approx(2 / 3), 0.25)


def test_false_alarms_on_quiet_days_stay_below_the_level():
    """39 columns of a hundred agents, and quiet days before. Each by itself at 5 % cries on 84 % of the days."""
    n_days, alarms, alone = 80, 0, 0
    for day in range(n_days):
        random = np.random.default_rng([3, day])
        tested = measure_drift(columns(random, LEAST_AGENTS), random.random(6 * 39), random)
        alarms += any(one.found for one in tested)
        alone += any(one.p_value <= LEVEL for one in tested)

    assert alone > 0.7 * n_days
    assert alarms <= n_days * (0.04 + 2 * math.sqrt(0.04 * 0.96 / n_days))


def test_a_small_shift_of_very_many_is_no_drift():
    random = np.random.default_rng(4)
    (one,) = measure_drift(columns(random, 20_000, n=1, learned=20_000, shift=0.02), (), random)

    assert one.p_value < 1e-4 and not one.found


def test_the_stability_index_of_a_stable_column_is_about_zero_at_any_size():
    """Without taking off what chance makes of it, it is 0.1 to 0.2 at a hundred agents."""
    for n in (100, 1_000):
        random = np.random.default_rng([5, n])
        shifts = [stability_shift(one, random) for one in columns(random, n, n=60)]
        assert abs(np.mean(shifts)) < 3 * np.std(shifts) / math.sqrt(60)


def test_too_few_agents_are_not_tested():
    random = np.random.default_rng(6)
    assert measure_drift(columns(random, LEAST_AGENTS - 1, shift=0.9), (), random) == ()
    assert told_drift((), n_agents=99) == "no drift in 0 columns, by 99 agents"


def test_the_days_before_make_a_single_suspicion_weaker():
    random = np.random.default_rng(7)
    suspicious = columns(random, 150, n=1, shift=0.09)

    assert found(suspicious, np.random.default_rng(0)) == ["input_0"]
    assert found(suspicious, np.random.default_rng(0), before=[0.9] * 500_000) == []


def test_a_column_that_says_the_same_of_everybody_has_not_drifted():
    column = Column("constant", np.full(300, 0.5), np.full(200, 0.5))
    (one,) = measure_drift([column], (), np.random.default_rng(8))

    assert (one.p_value, one.shift, one.found) == (1.0, pytest.approx(0.0, abs=1e-12), False)
