"""Rows exchange values with rows of other agents: the error that this adds, with intervals over agents.

The arithmetic of `importance`, for any predictor and any kind of exchange.
"""

from collections.abc import Callable

import numpy as np

from spots_ml.errors import InsufficientDataError
from spots_ml.estimates.agents import Agents
from spots_ml.estimates.estimate import Estimate, estimate_of
from spots_ml.explaining.shapley import Predict

Change = Callable[[np.ndarray], dict[int, np.ndarray]]
"""From the donor of each row to new values by input: what a permutation does to the inputs."""


class Exchange:
    """Rows exchange values with rows of other agents, and error increases are averaged over the pairs.

    A resample draws agents and permutations with replacement; a pair counts as often as both its agents were drawn
    (both sides of a pair vary from one set of agents to another), and not at all when they are one.

    Args:
        agent: `(n_rows,)` code of each row's agent.
        n_repeats: Permutations.
        n_resamples: Resamples behind each interval.
        seed: Of permutations and resamples.

    Raises:
        InsufficientDataError: When there are fewer than two agents, or no permutation pairs any two.
    """

    def __init__(self, agent: np.ndarray, *, n_repeats: int, n_resamples: int, seed: int) -> None:
        self._agents = Agents.of(agent)
        self.n_repeats, self.n_resamples, self._seed = n_repeats, n_resamples, seed
        generator = np.random.default_rng([seed, 8])
        self.donors = np.stack([generator.permutation(len(agent)) for _ in range(n_repeats)])
        code = self._agents.code
        self._counts = (code[self.donors] != code).astype(np.float64)
        if not self._counts.any():
            raise InsufficientDataError(
                f"the test rows are of {self.n_agents} agents and no row can be given another agent's values; "
                "collect interactions of more agents"
            )

    @property
    def n_agents(self) -> int:
        """Number of agents."""
        return self._agents.n

    def increases(self, predict: Predict, inputs: np.ndarray, target: np.ndarray, change: Change) -> np.ndarray:
        """Measure how the squared error of each row changes.

        Args:
            predict: The model.
            inputs: `(n_rows, n_inputs)` as they are.
            target: `(n_rows,)`.
            change: What a permutation does to the inputs.

        Returns:
            `(n_repeats, n_rows)` float32.
        """
        before = squared_error(predict, inputs, target)
        found = np.empty(self.donors.shape, dtype=np.float32)
        for repeat, donors in enumerate(self.donors):
            changed = inputs.copy()
            for index, values in change(donors).items():
                changed[:, index] = values
            found[repeat] = squared_error(predict, changed, target) - before
        return found

    def estimate(self, increases: np.ndarray) -> list[Estimate]:
        """Average over pairs, with 95 % intervals over agents and permutations.

        Args:
            increases: `(n, n_repeats, n_rows)`; the resamples are the same for all n.

        Returns:
            The mean of each of the n. Resamples without any pair of two agents are left out; an increase that is the
            same in all of them has no interval.
        """
        flat = increases.reshape(len(increases), -1)
        generator = np.random.default_rng([self._seed, 9])
        agents, repeats = (np.full(n, 1.0 / n) for n in (self.n_agents, self.n_repeats))
        resampled = []
        for _ in range(self.n_resamples):
            drawn = generator.multinomial(self.n_agents, agents)[self._agents.code].astype(np.float64)
            times = generator.multinomial(self.n_repeats, repeats)[:, None]
            weight = self._counts * times * drawn * drawn[self.donors]
            if weight.any():
                resampled.append(_weighted_mean(flat, weight))
        means = _weighted_mean(flat, self._counts)
        by_increase = np.reshape(resampled, (-1, len(means))).T
        sides = (self._agents.sums(self._counts.sum(axis=0))[:, 0],)
        n_rows = int(self._counts.any(axis=0).sum())
        return [
            estimate_of(float(mean), drawn, sides=sides, bounded=False, n_rows=n_rows)
            for mean, drawn in zip(means, by_increase, strict=True)
        ]


def squared_error(predict: Predict, inputs: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Measure a predictor row by row.

    Args:
        predict: The predictor.
        inputs: `(n_rows, n_inputs)`.
        target: `(n_rows,)`.

    Returns:
        `(n_rows,)` float64, at least 0.
    """
    error: np.ndarray = (predict(inputs).astype(np.float64) - target) ** 2
    return error


def _weighted_mean(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    mean: np.ndarray = np.einsum("nk,k->n", values, weight.ravel()) / weight.sum()
    return mean
