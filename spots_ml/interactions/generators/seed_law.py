"""The law of the seed export, fast, with agents who come back: the synthetic source.

Checked against the seed export (`docs/decisions/generators.md`): the agent's vibes, the context and the
timing features are independent Beta(2, 2); each vibe of the opportunity is the agent's plus Normal(0, 0.2),
clipped.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

import numpy as np

from spots_ml.features.contract import VIBE_DIMENSIONS
from spots_ml.interactions.generators.drawing import InteractionLaw, beta_two_two, draw_interactions
from spots_ml.interactions.generators.known_law import KnownLaw
from spots_ml.interactions.generators.outcome_law import BetaFromOne, OutcomeLaw
from spots_ml.interactions.generators.timeline import DEFAULT_UNTIL
from spots_ml.interactions.kinds import SourceKind
from spots_ml.interactions.source import InteractionStream

VIBE_NOISE_SD: Final = 0.2
"""Standard deviation between an agent's and an opportunity's vibe dimension, before clipping to [0, 1]."""
SEED_OUTCOME: Final = OutcomeLaw(called_from=0.6, noise_sd=0.15, uncalled=BetaFromOne(3.0))
"""Called from 0.6 on in this law, not from the app's 0.7."""


@dataclass(frozen=True)
class SeedLaw(KnownLaw):
    """Generator of synthetic interactions.

    Attributes:
        rows_per_agent: Mean rows per agent, at least 1. With 1, all rows are independent as in the seed
            export; with more, an agent keeps its vibes over its rows and has a history. The law of each row
            is the same.
    """

    rows_per_agent: float = 10.0
    kind: ClassVar[SourceKind] = "synthetic"
    outcome: ClassVar[OutcomeLaw] = SEED_OUTCOME

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
            The interactions in the order of time; the same arguments always give the same.

        Raises:
            ConfigError: When an argument is out of its range.
        """
        law = InteractionLaw("synthetic", self.rows_per_agent, _draw_agents, _draw_opportunities, SEED_OUTCOME)
        return InteractionStream(
            kind=self.kind,
            batches=draw_interactions(law, n_rows, seed=seed, until=until, labelled_share=labelled_share),
            description=f"{n_rows:,} synthetic interactions under the law of the seed export, seed {seed}",
        )


def _draw_agents(n_agents: int, generator: np.random.Generator) -> np.ndarray:
    return beta_two_two((len(VIBE_DIMENSIONS), n_agents), generator)


def _draw_opportunities(agent: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return np.clip(agent + generator.normal(0.0, VIBE_NOISE_SD, agent.shape), 0.0, 1.0)
