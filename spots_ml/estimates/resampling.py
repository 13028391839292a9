"""Agents drawn again, with replacement: how often each counts in a resample."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from spots_ml.errors import ConfigError

N_RESAMPLES: Final = 1_000
_CHUNK: Final = 1_000_000
"""Counts held in memory at once."""


@dataclass(frozen=True)
class Resampling:
    """How agents are drawn again.

    Attributes:
        seed: The same seed gives the same draws.
        n_resamples: How many times; at least 1.
    """

    seed: int | tuple[int, ...]
    n_resamples: int = N_RESAMPLES

    def counts(self, n_agents: int) -> Iterator[np.ndarray]:
        """Draw as many agents as there are, again and again.

        Args:
            n_agents: At least 1.

        Yields:
            `(k, n_agents)` float64, how often each agent was drawn in each of the next k resamples, until all were
            given; k is such that memory does not grow with the number of agents.

        Raises:
            ConfigError: When there is nothing to draw.
        """
        if n_agents < 1 or self.n_resamples < 1:
            raise ConfigError(f"{self.n_resamples} resamples of {n_agents} agents; expected at least one of each")
        generator = np.random.default_rng(self.seed)
        at_once = max(1, _CHUNK // n_agents)
        for start in range(0, self.n_resamples, at_once):
            k = min(at_once, self.n_resamples - start)
            drawn = generator.integers(0, n_agents, (k, n_agents)) + np.arange(0, k * n_agents, n_agents)[:, None]
            yield np.bincount(drawn.ravel(), minlength=k * n_agents).reshape(k, n_agents).astype(np.float64)
