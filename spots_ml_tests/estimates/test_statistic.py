"""Ratios, means and differences: worked by hand, and each as if it were alone."""

import numpy as np
import pytest

from spots_ml.errors import ConfigError
from spots_ml.estimates.agents import Agents, Resampling, effective_number
from spots_ml.estimates.statistic import Difference, estimate_all, mean, ratio

AGENTS = Agents.of(np.array([7, 3, 3, 9]))


def test_agents_are_numbered_in_the_order_of_their_names_and_anew_when_some_are_left() -> None:
    assert (AGENTS.code.tolist(), AGENTS.n) == ([1, 0, 0, 2], 3)
    left = AGENTS.take(np.array([True, False, False, True]))
    assert (left.code.tolist(), left.n) == ([0, 1], 2)
    assert Agents.of(np.array([])).n == 0


def test_rows_are_summed_by_agent() -> None:
    sums = AGENTS.sums(np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, False, True, True]))
    assert sums.tolist() == [[5.0, 1.0], [1.0, 1.0], [4.0, 1.0]]


def test_the_effective_number_is_that_of_agents_with_equal_rows() -> None:
    assert effective_number(np.full(12, 3.0)) == pytest.approx(12.0)
    assert effective_number(np.array([3.0, 1.0])) == pytest.approx(1.6)
    assert effective_number(np.zeros(4)) == 0.0


def test_a_ratio_is_that_of_the_sums_and_not_the_mean_of_the_ratios() -> None:
    statistic = ratio(Agents.of(np.arange(2)), np.array([1.0, 1.0]), np.array([1.0, 9.0]), bounded=True)
    assert statistic.of(np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])) == pytest.approx(
        [0.2, 1.0, np.nan], nan_ok=True
    )
    assert statistic.n_rows == 2


def test_rows_with_nothing_below_the_line_do_not_count() -> None:
    found = estimate_all(
        {"precision": ratio(AGENTS, np.array([1, 0, 0, 0]), np.array([1, 0, 1, 0]), bounded=True)}, Resampling(0, 20)
    )["precision"]
    assert (found.value, found.n_rows, found.n_agents) == (0.5, 2, 2)


def some_rows(seed: int) -> tuple[Agents, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    agent = generator.integers(0, 30, 400)
    return Agents.of(agent), generator.random(400) + 0.01 * agent, generator.random(400)


def test_every_number_is_estimated_as_if_it_were_alone() -> None:
    agents, first, second = some_rows(2)
    numbers = {
        "one": mean(agents, first, bounded=False),
        "other": ratio(agents, first * second, second, bounded=False),
    }
    together = estimate_all(numbers, Resampling(9, 200))
    assert together == {name: estimate_all({name: one}, Resampling(9, 200))[name] for name, one in numbers.items()}


def test_a_difference_is_taken_with_the_same_agents_on_both_sides() -> None:
    agents, first, second = some_rows(3)
    nearly = first + 0.01 * second
    one, other = mean(agents, nearly, bounded=False), mean(agents, first, bounded=False)
    found = estimate_all({"lead": Difference(one, other), "one": one}, Resampling(0, 200))
    assert found["lead"].value == pytest.approx(0.01 * second.mean())
    assert found["lead"].low is not None and found["lead"].high is not None
    assert found["one"].low is not None and found["one"].high is not None
    assert found["lead"].low > 0.0
    assert found["lead"].high - found["lead"].low < 0.05 * (found["one"].high - found["one"].low)


def test_the_difference_of_means_of_the_same_rows_is_the_mean_of_the_differences() -> None:
    agents, first, second = some_rows(4)
    one, other = (mean(agents, values, bounded=False) for values in (first, second))
    found = estimate_all(
        {"of means": Difference(one, other), "mean": mean(agents, first - second, bounded=False)}, Resampling(0, 200)
    )
    for end in ("value", "low", "high"):
        assert getattr(found["of means"], end) == pytest.approx(getattr(found["mean"], end), abs=1e-7)


def test_a_difference_of_few_agents_has_no_interval() -> None:
    one, other = (mean(AGENTS, np.arange(4.0) * factor, bounded=True) for factor in (0.1, 0.2))
    found = estimate_all({"lead": Difference(one, other)}, Resampling(0, 20))["lead"]
    assert (found.value, found.low, found.method) == (-0.15, None, "none")


def test_no_agents_and_no_numbers() -> None:
    nobody = Agents.of(np.array([]))
    found = estimate_all({"it": mean(nobody, np.array([]), bounded=True)}, Resampling(0, 20))["it"]
    assert (found.value, found.low, found.n_rows, found.n_agents) == (None, None, 0, 0)
    assert estimate_all({}, Resampling(0, 20)) == {}


def test_no_resamples_are_refused() -> None:
    with pytest.raises(ConfigError, match="0 resamples of 3 agents"):
        estimate_all({"it": mean(AGENTS, np.ones(4), bounded=True)}, Resampling(0, 0))
