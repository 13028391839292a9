"""What a training starts from: a trained model, and which of the rows it, or what it started from, knows already."""

from dataclasses import dataclass

import numpy as np

from spots_ml.training.trained_model import TrainedModel

START = "start"
"""Name of the model that was started from among the predictors of an evaluation."""
FULL = "from_the_beginning"
"""Name of the network that was trained from the beginning on the same rows, where that is compared."""


@dataclass(frozen=True)
class WarmOrigin:
    """A trained model to learn on from.

    Attributes:
        model: The model.
        learned: `(n_rows,)` bool, rows of agents that it, or what it started from, learned from.
        seen: `(n_rows,)` bool, rows among these that it had itself.
    """

    model: TrainedModel
    learned: np.ndarray
    seen: np.ndarray

    def rows_to_learn(self, training: np.ndarray, replay_share: float, seed: int) -> np.ndarray:
        """Choose what is learned from: every row that is new, and a share of the others, so that these stay known.

        Args:
            training: `(n_rows,)` bool, rows of the training part.
            replay_share: In [0, 1].
            seed: Draws them.

        Returns:
            `(n_rows,)` bool.
        """
        drawn = np.random.default_rng([seed, 7]).random(len(training)) < replay_share
        chosen: np.ndarray = training & (~self.seen | drawn)
        return chosen
