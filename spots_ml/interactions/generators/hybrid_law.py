"""The law of the hybrid export on real personalities: agents from a Big Five survey, the rest generated.

Checked against the hybrid export (`docs/decisions/generators.md`): a vibe of the opportunity is the agent's
times Uniform(0.6, 0.9) plus Normal(0, 0.15), clipped; context and timing features are independent Beta(2, 2).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

import numpy as np

from spots_ml.interactions.generators.drawing import InteractionLaw, draw_interactions
from spots_ml.interactions.generators.known_law import KnownLaw
from spots_ml.interactions.generators.outcome_law import OutcomeLaw, UniformBelow
from spots_ml.interactions.generators.personality import survey_vibes
from spots_ml.interactions.generators.timeline import DEFAULT_UNTIL
from spots_ml.interactions.kinds import SourceKind
from spots_ml.interactions.source import InteractionStream

LEAST_SHARE: Final = 0.6
"""Least factor between an agent's and an opportunity's vibe dimension, before noise."""
HIGHEST_SHARE: Final = 0.9
"""Highest factor between an agent's and an opportunity's vibe dimension, before noise."""
VIBE_NOISE_SD: Final = 0.15
"""Standard deviation of the noise on an opportunity's vibe dimension, before clipping to [0, 1]."""
HYBRID_OUTCOME: Final = OutcomeLaw(called_from=0.7, noise_sd=0.1, uncalled=UniformBelow(0.5))
"""Called as in the app; an agent that was not called never has a positive outcome."""


@dataclass(frozen=True)
class HybridLaw(KnownLaw):
    """Generator of interactions of people with real personalities.

    Attributes:
        rows_per_agent: Mean rows per agent, at least 1; 100 in the hybrid export.
    """

    rows_per_agent: float = 100.0
    kind: ClassVar[SourceKind] = "hybrid"
    outcome: ClassVar[OutcomeLaw] = HYBRID_OUTCOME

    def generate(
        self, n_rows: int, *, seed: int, until: datetime = DEFAULT_UNTIL, labelled_share: float = 1.0
    ) -> InteractionStream:
        """Draw interactions.

        Args:
            n_rows: Number of rows, at least 1.
            seed: Which of the possible data sets, at least 0.
            until: End of the generated period of 180 days, with zone.
            labelled_share: Probability that a row has an outcome, in [0, 1].

        Returns:
            The interactions in the order of time; the same arguments always give the same. Agents share a
            personality only when there are more agents than people in the survey.

        Raises:
            ConfigError: When an argument is out of its range, or the extra `personality` is not installed.
        """
        law = InteractionLaw("hybrid", self.rows_per_agent, _draw_agents, _draw_opportunities, HYBRID_OUTCOME)
        return InteractionStream(
            kind=self.kind,
            batches=draw_interactions(law, n_rows, seed=seed, until=until, labelled_share=labelled_share),
            description=f"{n_rows:,} hybrid interactions of real Big Five personalities, seed {seed}",
        )


def _draw_agents(n_agents: int, generator: np.random.Generator) -> np.ndarray:
    people = survey_vibes()
    n_people = people.shape[1]
    rounds = [generator.permutation(n_people) for _ in range(-(-n_agents // n_people))]
    return people[:, np.concatenate(rounds)[:n_agents]]


def _draw_opportunities(agent: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    share = generator.uniform(LEAST_SHARE, HIGHEST_SHARE, agent.shape)
    return np.clip(agent * share + generator.normal(0.0, VIBE_NOISE_SD, agent.shape), 0.0, 1.0)
