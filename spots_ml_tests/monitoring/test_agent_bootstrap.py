"""Intervals over agents: how often they hold the truth, and what they do at the edges."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spots_ml.errors import ConfigError
from spots_ml.monitoring.agent_bootstrap import agent_codes, estimate_ratios, resampled_counts

RATE, MEAN = np.array([True]), np.array([False])


def of(parts, wholes, *, rates=MEAN, n_resamples=400, seed=0):
    """The estimate of one ratio."""
    parts, wholes = (np.asarray(side, dtype=float)[:, None] for side in (parts, wholes))
    (found,) = estimate_ratios(parts, wholes, rates=rates, n_resamples=n_resamples, seed=seed)
    return found


def clustered(generator, n_agents, rows_per_agent):
    """Successes and rows of agents who differ: each has a rate of its own, on average one half."""
    rate = generator.beta(2, 2, n_agents)
    n_rows = 1 + generator.poisson(rows_per_agent, n_agents)
    return generator.binomial(n_rows, rate).astype(float), n_rows.astype(float)


def coverage(n_agents, rows_per_agent, interval, n_worlds=300):
    """How often an interval holds the true rate."""
    held = 0
    for world in range(n_worlds):
        low, high = interval(*clustered(np.random.default_rng([world, n_agents]), n_agents, rows_per_agent))
        held += low <= 0.5 <= high
    return held / n_worlds


def over_agents(parts, wholes):
    found = of(parts, wholes, rates=RATE)
    return found.low, found.high


def over_rows(parts, wholes):
    """The same bootstrap as if every row were an agent of its own."""
    rows = np.repeat([1.0, 0.0], [int(parts.sum()), int((wholes - parts).sum())])
    return over_agents(rows, np.ones(len(rows)))


@pytest.mark.parametrize(("n_agents", "rows_per_agent"), [(10, 10), (40, 15)])
def test_95_percent_intervals_hold_the_truth_about_95_percent_of_the_time(n_agents, rows_per_agent):
    assert 0.91 <= coverage(n_agents, rows_per_agent, over_agents) <= 0.985


def test_intervals_over_rows_of_the_same_data_are_far_too_narrow():
    assert coverage(40, 15, over_rows, n_worlds=150) < 0.80


def test_the_estimate_is_the_ratio_of_the_sums_and_not_the_mean_of_the_ratios():
    assert of([1, 1], [1, 9]).value == 0.2


def test_the_interval_holds_the_value_and_stays_within_the_range_of_the_agents():
    found = of([0.2, 0.9, 0.4], [1, 1, 1])
    assert 0.2 <= found.low <= found.value == 0.5 <= found.high <= 0.9


def test_one_agent_says_nothing_about_others():
    found = of([3], [10])
    assert (found.value, found.low, found.high) == (0.3, None, None)


def test_agents_without_rows_to_count_do_not_count():
    found = of([3, 0, 0], [10, 0, 0])
    assert (found.value, found.low, found.high) == (0.3, None, None)


def test_nothing_to_divide_by_is_undefined():
    assert set(of([0, 0], [0, 0]).model_dump().values()) == {None}
    assert set(of([], []).model_dump().values()) == {None}


def test_a_rate_of_zero_is_not_certain_and_the_less_so_the_fewer_agents_there_are():
    few, many = of(np.zeros(3), np.full(3, 100), rates=RATE), of(np.zeros(300), np.full(300, 1), rates=RATE)
    assert (few.value, few.low, many.low) == (0.0, 0.0, 0.0)
    # Clopper and Pearson: 1 - 0.025^(1/n)
    assert few.high == pytest.approx(0.7076, abs=1e-4)
    assert many.high == pytest.approx(0.0122, abs=1e-4)


def test_a_rate_of_one_is_its_mirror_image():
    found = of(np.full(3, 100), np.full(3, 100), rates=RATE)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(1 - 0.7076, abs=1e-4)


def test_a_mean_without_variation_has_no_width():
    found = of([0.0, 0.0], [1, 1], rates=MEAN)
    assert (found.low, found.high) == (0.0, 0.0)


def test_the_seed_decides_and_nothing_else():
    parts, wholes = clustered(np.random.default_rng(1), 20, 10)
    assert of(parts, wholes, seed=4) == of(parts, wholes, seed=4) != of(parts, wholes, seed=5)


def test_every_ratio_is_estimated_as_if_it_were_alone():
    generator = np.random.default_rng(2)
    pairs = [clustered(generator, 12, 5) for _ in range(3)]
    parts, wholes = (np.stack([pair[side] for pair in pairs], axis=1) for side in (0, 1))
    together = estimate_ratios(parts, wholes, rates=np.ones(3, bool), n_resamples=200, seed=9)
    assert together == [of(*pair, rates=RATE, n_resamples=200, seed=9) for pair in pairs]


@given(st.integers(1, 40), st.integers(1, 60))
def test_every_resample_draws_as_many_agents_as_there_are(n_agents, n_resamples):
    drawn = np.concatenate(list(resampled_counts(n_agents, n_resamples, seed=3)))
    assert drawn.shape == (n_resamples, n_agents)
    assert (drawn.sum(axis=1) == n_agents).all()


def test_agents_are_drawn_with_equal_chances():
    drawn = np.concatenate(list(resampled_counts(5, 4_000, seed=3)))
    assert drawn.mean(axis=0) == pytest.approx(np.ones(5), abs=0.06)
    assert drawn.var(axis=0) == pytest.approx(np.full(5, 0.8), abs=0.08)


def test_drawing_in_parts_gives_what_drawing_at_once_gives(monkeypatch):
    whole = np.concatenate(list(resampled_counts(7, 30, seed=3)))
    monkeypatch.setattr("spots_ml.monitoring.agent_bootstrap._CHUNK", 21)
    parts = list(resampled_counts(7, 30, seed=3))
    assert [len(part) for part in parts] == [3] * 10
    assert (np.concatenate(parts) == whole).all()


@pytest.mark.parametrize(("n_agents", "n_resamples"), [(0, 5), (5, 0)])
def test_drawing_nothing_is_refused(n_agents, n_resamples):
    with pytest.raises(ConfigError, match="at least one of each"):
        next(resampled_counts(n_agents, n_resamples, seed=0))


def test_agents_are_numbered_by_name_wherever_they_stand_and_unknown_ones_are_many():
    codes, n_agents = agent_codes(pa.chunked_array([["c", None], ["a", "c", None]]))
    assert n_agents == 4
    assert codes.tolist() == [1, 2, 0, 1, 3]


def test_nobody_is_no_agents():
    codes, n_agents = agent_codes(pa.chunked_array([], pa.string()))
    assert (len(codes), n_agents) == (0, 0)
