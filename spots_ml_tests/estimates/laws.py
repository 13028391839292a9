"""Laws of agents whose true number is known, to see how often an interval holds it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Law:
    """Agents with a part and a whole each; the truth is the ratio of the expected sums.

    Attributes:
        name: What is special.
        truth: The ratio.
        bounded: Whether it lies in [0, 1] whoever the agents are.
        draw: From generator and number of agents to `(n_agents,)` parts and wholes.
        least_coverage: What intervals must reach in 150 worlds; less where outliers are missing from most
            samples, against which no interval of few agents helps.
    """

    name: str
    truth: float
    bounded: bool
    draw: Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]
    least_coverage: float = 0.87


def _rates(a: float, b: float, rows: float) -> Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]:
    def draw(generator: np.random.Generator, n_agents: int) -> tuple[np.ndarray, np.ndarray]:
        n_rows = 1 + generator.poisson(rows, n_agents)
        return generator.binomial(n_rows, generator.beta(a, b, n_agents)).astype(float), n_rows.astype(float)

    return draw


def _all_or_nothing(generator: np.random.Generator, n_agents: int) -> tuple[np.ndarray, np.ndarray]:
    return 5.0 * (generator.random(n_agents) < 0.3), np.full(n_agents, 5.0)


def _unequal(generator: np.random.Generator, n_agents: int) -> tuple[np.ndarray, np.ndarray]:
    n_rows = 1 + np.floor(generator.lognormal(1.0, 1.5, n_agents)).astype(int)
    return generator.binomial(n_rows, generator.beta(2, 2, n_agents)).astype(float), n_rows.astype(float)


def _scores(generator: np.random.Generator, n_agents: int) -> tuple[np.ndarray, np.ndarray]:
    n_rows = 1.0 + generator.poisson(5, n_agents)
    return generator.beta(2, 6, n_agents) * n_rows, n_rows


def _normal(generator: np.random.Generator, n_agents: int) -> tuple[np.ndarray, np.ndarray]:
    n_rows = 1.0 + generator.poisson(5, n_agents)
    noise = np.sqrt(n_rows) * generator.normal(size=n_agents)
    return n_rows * generator.normal(size=n_agents) + noise, n_rows


def _skewed(generator: np.random.Generator, n_agents: int) -> tuple[np.ndarray, np.ndarray]:
    n_rows = 1.0 + generator.poisson(5, n_agents)
    return (0.5 + 0.5 * generator.chisquare(1, n_agents)) * generator.gamma(n_rows / 2.0, 2.0), n_rows


LAWS = (
    Law("rates about one half", 0.5, True, _rates(2.0, 2.0, 8)),
    Law("rare", 0.1, True, _rates(0.5, 4.5, 4), least_coverage=0.85),
    Law("frequent", 0.9, True, _rates(9.0, 1.0, 2)),
    Law("all or nothing", 0.3, True, _all_or_nothing),
    Law("unequal numbers of rows", 0.5, True, _unequal),
    Law("scores", 0.25, True, _scores),
    Law("means", 0.0, False, _normal),
    Law("skewed means", 1.0, False, _skewed, least_coverage=0.80),
)
