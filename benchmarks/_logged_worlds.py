"""Worlds with a known law in which decisions were logged; numpy alone, no code of the estimators."""

from dataclasses import dataclass

import numpy as np

from spots_ml.estimates.agents import Agents
from spots_ml.experiments.forecasting.off_policy import LoggedDecisions
from spots_ml.experiments.forecasting.value_model import cross_fitted


@dataclass(frozen=True)
class World:
    """Agents with tastes of their own, a score that knows some of what they want, and a coin.

    Attributes:
        n_agents: How many.
        explored: Share of the decisions above `explored_from` that a fair coin makes.
        explored_from: Least score of a decision that may be left to the coin.
        threshold: Score from which on the logging policy calls.
        bonus: What a call is worth more per unit of the score.
    """

    n_agents: int = 400
    explored: float = 0.2
    explored_from: float = 0.0
    threshold: float = 0.5
    bonus: float = 1.0

    def draw(self, rng: np.random.Generator) -> "Drawn":
        """Draw agents and their decisions.

        Args:
            rng: Draws.

        Returns:
            The rows.
        """
        n_rows = rng.integers(4, 24, self.n_agents)
        agent = np.repeat(np.arange(self.n_agents), n_rows)
        n = len(agent)
        taste = rng.normal(0.0, 0.25, self.n_agents)[agent]
        score, other = rng.random(n), rng.random(n)
        wants = score >= self.threshold
        eligible = score >= self.explored_from
        coin = eligible & (rng.random(n) < self.explored)
        called = np.where(coin, rng.random(n) < 0.5, wants)
        propensity = np.where(eligible, np.where(called == wants, 1 - self.explored / 2, self.explored / 2), 1.0)
        # Worth of a call, whether or not it was made: -1, 0 or 1 with this mean.
        mean = np.clip(self.bonus * (score - 0.5) + 0.4 * (other - 0.5) + taste, -0.9, 0.9)
        worth = np.where(rng.random(n) < 0.3, 0.0, np.where(rng.random(n) < (1 + mean) / 2, 1.0, -1.0))
        return Drawn(Agents.of(agent), score, other, called, wants, propensity, worth)


@dataclass(frozen=True)
class Drawn:
    """Rows of one world; `worth` is known to nobody where nobody was called."""

    agents: Agents
    score: np.ndarray
    other: np.ndarray
    called: np.ndarray
    wants: np.ndarray
    propensity: np.ndarray
    worth: np.ndarray

    def candidate(self) -> np.ndarray:
        """Another way to decide, by the other input as well."""
        return 0.7 * self.score + 0.3 * self.other >= 0.5

    def log(self) -> LoggedDecisions:
        """What the log knows of them, with the guess that other agents taught."""
        value = np.where(self.called, self.worth, 0.0)
        inputs = np.stack([self.score, self.other], axis=1)
        guess = cross_fitted(self.agents, inputs, value, self.called, seed=1)
        return LoggedDecisions(self.agents, guess, self.called, self.propensity, value)

    def per_agent(self, rows: np.ndarray) -> float:
        """Mean over agents of the mean over each one's decisions."""
        sums = np.bincount(self.agents.code, rows)
        return float((sums / np.bincount(self.agents.code)).mean())
