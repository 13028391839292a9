"""Which rows are whose: rows of one agent are alike, so agents are what is counted, summed over and drawn again."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from spots_ml.errors import ConfigError


@dataclass(frozen=True)
class Agents:
    """The agents of some rows, numbered.

    Attributes:
        code: `(n_rows,)` integers, whose each row is, from 0 to `n - 1`.
        n: Number of agents.
    """

    code: np.ndarray
    n: int

    @classmethod
    def of(cls, names: np.ndarray) -> "Agents":
        """Number the agents in the order of their names.

        Args:
            names: `(n_rows,)` names or codes; equal for rows of one agent.

        Returns:
            The agents, each of which has a row.

        >>> Agents.of(np.array(["b", "a", "b"]))
        Agents(code=array([1, 0, 1]), n=2)
        """
        found, code = np.unique(np.asarray(names), return_inverse=True)
        return cls(code, len(found))

    def take(self, rows: np.ndarray) -> "Agents":
        """Select rows; the agents that are left are numbered anew, in the same order.

        Args:
            rows: `(k,)` positions or `(n_rows,)` mask.

        Returns:
            The agents of those rows.
        """
        return Agents.of(self.code[rows])

    def sums(self, *columns: np.ndarray) -> np.ndarray:
        """Add the values of rows up, agent by agent.

        Args:
            columns: `(n_rows,)` numbers or truth values each.

        Returns:
            `(n, n_columns)` float64.
        """
        return np.stack(
            [np.bincount(self.code, np.asarray(column, dtype=np.float64), self.n) for column in columns], axis=1
        )


def effective_number(weight: np.ndarray) -> float:
    """Tell how many equal agents would say as much: (sum w)^2 / sum w^2 (Kish 1965, "Survey sampling").

    Args:
        weight: `(n_agents,)`, at least 0: how much each has in a number, such as its rows.

    Returns:
        From 1 to the number of agents that have any; 0 when none has.

    >>> effective_number(np.array([5.0, 5.0, 0.0])), round(effective_number(np.array([98.0, 1.0, 1.0])), 2)
    (2.0, 1.04)
    """
    squares = float(np.square(weight).sum())
    return float(weight.sum()) ** 2 / squares if squares > 0.0 else 0.0


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
