import numpy as np
import pytest

from spots_ml.errors import InsufficientDataError
from spots_ml.explaining.exchange import Exchange


def a_law(seed: int, n_agents: int = 60, per_agent: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Half of the first input, and noise; the second says nothing."""
    generator = np.random.default_rng(seed)
    agent = np.repeat(np.arange(n_agents), per_agent)
    inputs = generator.random((len(agent), 2))
    return agent, inputs, 0.5 * inputs[:, 0] + 0.1 * generator.normal(size=len(agent))


def believes_in_both(inputs: np.ndarray) -> np.ndarray:
    believed: np.ndarray = 0.5 * inputs[:, 0] + 0.1 * (inputs[:, 1] - 0.5)
    return believed


def estimates(seed: int, **changes: int) -> list[tuple[float | None, ...]]:
    agent, inputs, target = a_law(seed)
    exchange = Exchange(agent, **({"n_repeats": 10, "n_resamples": 100, "seed": seed} | changes))
    increases = [
        exchange.increases(believes_in_both, inputs, target, lambda donors, i=i: {i: inputs[donors, i]}) for i in (0, 1)
    ]
    return [(one.value, one.low, one.high) for one in exchange.estimate(np.stack(increases))]


def test_intervals_hold_the_truth_about_as_often_as_they_promise() -> None:
    # E[(a/2 - b/2)^2] of two independent uniform numbers is 1/24; what says nothing costs nothing on average.
    found = np.array([estimates(seed) for seed in range(60)])
    hits = [int(np.sum((found[:, k, 1] <= truth) & (truth <= found[:, k, 2]))) for k, truth in ((0, 1 / 24), (1, 0.0))]
    assert min(hits) >= 52
    assert max(hits) <= 60
    assert np.abs(found[:, 0, 0].mean() - 1 / 24) < 0.001


def test_the_same_seed_gives_the_same_numbers_and_another_one_others() -> None:
    assert estimates(3) == estimates(3)
    agent = a_law(3)[0]
    first, second = (Exchange(agent, n_repeats=4, n_resamples=20, seed=seed).donors for seed in (0, 1))
    assert not np.array_equal(first, second)


def test_pairs_within_one_agent_do_not_count() -> None:
    agent = np.array([0, 0, 0, 1])
    exchange = Exchange(agent, n_repeats=50, n_resamples=20, seed=0)
    within = (agent[exchange.donors] == agent).astype(float)
    (found,) = exchange.estimate(1_000.0 * within[None])
    assert found.value == 0.0


def test_two_agents_have_an_increase_without_an_interval() -> None:
    exchange = Exchange(np.repeat([0, 1], 50), n_repeats=5, n_resamples=20, seed=0)
    (found,) = exchange.estimate(np.random.default_rng(0).random((1, 5, 100)))
    assert found.value == pytest.approx(0.5, abs=0.1)
    assert (found.low, found.high, found.method, found.n_agents) == (None, None, "none", 2)


def test_more_permutations_make_intervals_no_wider() -> None:
    widths = [
        np.mean([high - low for seed in range(5) for _, low, high in estimates(seed, n_repeats=n)]) for n in (1, 20)
    ]
    assert widths[1] < widths[0]


def test_one_agent_alone_cannot_exchange_anything() -> None:
    with pytest.raises(InsufficientDataError, match="of 1 agents"):
        Exchange(np.zeros(10), n_repeats=3, n_resamples=20, seed=0)
