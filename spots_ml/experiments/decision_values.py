"""What a decision is worth by its outcome: what a rollout measures, and what a forecast of one is about."""

import numpy as np

from spots_ml.experiments.policy import OutcomeValues
from spots_ml.interactions.schema import OUTCOME_TYPES


def decision_values(outcomes: np.ndarray, called: np.ndarray, values: OutcomeValues) -> np.ndarray:
    """Tell what decisions are worth.

    Args:
        outcomes: `(n,)` integers, positions in `OUTCOME_TYPES`; -1 where none counts.
        called: `(n,)` bool.
        values: By outcome.

    Returns:
        `(n,)` float64 in [-1, 1]; 0 where the agent was not called.

    >>> decision_values(np.array([0, -1, 2, 0]), np.array([True, True, True, False]), OutcomeValues()).tolist()
    [1.0, 0.0, -1.0, 0.0]
    """
    # The last one is for -1.
    worth = np.array([*(getattr(values, kind) for kind in OUTCOME_TYPES), values.none])
    found: np.ndarray = np.where(called, worth[outcomes], 0.0)
    return found
