"""What a scorer needs of a model: something that answers, or the reason why nothing does.

Where versions come from is the registry's business (`registry.serving`), how a file answers is in
`release.onnx.predictor`.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spots_ml.scoring.challengers import Challenger
from spots_ml.scoring.fallback import FallbackReason


class Predictor(Protocol):
    """Answers rows."""

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Answer rows; called from several threads at once.

        Args:
            inputs: `(n_rows, n_inputs)` float32 in [0, 1].

        Returns:
            `(n_rows,)` floats in [0, 1]; NaN for a row whose answer is no such number.

        Raises:
            ModelUnavailableError: When there is no answer for any of the rows.
        """
        ...


class Confidence(Protocol):
    """Says how much a model may weigh; `confidence.ConfidenceProfile` is one."""

    def weights(self, features: np.ndarray, limit: float) -> np.ndarray:
        """Weigh the model's answers row by row.

        Args:
            features: `(n_rows, 39)` float32 in [0, 1].
            limit: The version's weight.

        Returns:
            `(n_rows,)` float64 in [0, limit]; 0 outside the training distribution.
        """
        ...


@dataclass(frozen=True)
class ServedModel:
    """A version that answers.

    Attributes:
        version: Its name.
        predictor: Answers.
        weight: Share of the neural score in the hybrid score, in [0, 1]; of no use for the outcome model.
        confidence: When there, lowers the weight where the model knows less.
        filter_on: Of an outcome model, whether it may block calls; of no use for others.
    """

    version: str
    predictor: Predictor
    weight: float = 0.0
    confidence: Confidence | None = None
    filter_on: bool = True


@dataclass(frozen=True)
class MissingModel:
    """No model answers.

    Attributes:
        reason: Why.
        detail: What exactly was found, and what to do.
        version: The version that should have answered; None: there is none.
        filter_on: Where an outcome model should have answered, whether the rule that stands in may block calls: as the
            version might have. Where there is no version nothing was measured that could block.
    """

    reason: FallbackReason
    detail: str
    version: str | None = None
    filter_on: bool = True


@dataclass(frozen=True)
class ServedChallenger:
    """A challenger with the model that answers those that it treats.

    Attributes:
        challenger: The challenger; its weight counts, not that of the model.
        model: Its version; the champion's own object where the version is the same.
    """

    challenger: Challenger
    model: ServedModel | MissingModel
