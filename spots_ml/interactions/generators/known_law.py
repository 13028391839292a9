"""What every generator's law has in common: its best possible prediction is known."""

from typing import ClassVar

import numpy as np

from spots_ml.interactions.generators.outcome_law import OutcomeLaw
from spots_ml.interactions.generators.simple_score import simple_score
from spots_ml.models.spec import Target


class KnownLaw:
    """A law whose outcomes depend on the inputs through the simple score alone.

    Attributes:
        outcome: How an outcome follows from the score.
    """

    outcome: ClassVar[OutcomeLaw]

    def bayes_prediction(self, features: np.ndarray, target: Target = Target.OUTCOME_SCORE) -> np.ndarray:
        """Give the best possible prediction: nothing that sees only the inputs has a smaller expected error.

        Args:
            features: `(n_rows, 39)` or, with history, `(n_rows, 45)` floats in contract order, without NaN.
            target: What is predicted.

        Returns:
            `(n_rows,)` float64: the conditional mean of the outcome score, or the conditional probability
            that the outcome is positive.
        """
        score = simple_score(features[:, :39])
        if target is Target.OUTCOME_SCORE:
            return self.outcome.expected_outcome(score)
        return self.outcome.positive_probability(score)
