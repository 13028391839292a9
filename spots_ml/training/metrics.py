"""Numbers that say how good predictions are, as statistics over agents; verdicts are in `evaluation`.

A number that has no meaning for the rows at hand (precision where nothing is predicted, AUC with one class) is NaN.
"""

from typing import Final

import numpy as np
from scipy.special import xlogy

from spots_ml.estimates.agents import Agents
from spots_ml.estimates.statistic import AreaUnderCurve, OfSums, Statistic, answer_quality, mean, ratio
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.models.spec import Unit
from spots_ml.scoring.decision import CALLED_FROM, OUTCOME_ABOVE

SQUARED_ERROR: Final[dict[Unit, str]] = {Unit.SCORE: "mse", Unit.PROBABILITY: "brier"}
"""What the mean squared error is called among the numbers of a unit."""
_N_BINS: Final = 10
_EDGE: Final = 1e-7
"""Probabilities are kept this far from 0 and 1 in the log loss: one wrong certainty would make it infinite."""


def quality(
    model_type: ModelType,
    agents: Agents,
    prediction: np.ndarray,
    *,
    target: np.ndarray,
    positive: np.ndarray,
    formula: np.ndarray,
    prevalence: float,
) -> dict[str, Statistic]:
    """State how good one predictor is.

    Args:
        model_type: Decides which numbers are taken.
        agents: Whose the rows are.
        prediction: `(n_rows,)` in [0, 1].
        target: `(n_rows,)` in [0, 1]; 0 or 1 where a probability is predicted.
        positive: `(n_rows,)` bool, whether the outcome was positive.
        formula: `(n_rows,)` in [0, 1], the formula's calling score.
        prevalence: Mean target of the training rows, what a constant would predict.

    Returns:
        Numbers by name. Of a score: `mse`, `mae`, `r2` (1 is perfect, 0 as good as the test mean) and, of called
        against positive, `accuracy`, `precision`, `recall`, `f1`. Of a probability: `brier`, `brier_skill` (1 is
        perfect, 0 as good as the constant), `log_loss` (nats), `auc`, `ece`, `precision_at_filter` (share of positive
        outcomes among P > 0.7), `blocked_share` (share of the formula's calls that are none with it as the filter).
    """
    prediction = np.asarray(prediction, dtype=np.float64)
    target = np.asarray(target, dtype=np.float64)
    if model_spec(model_type).unit is Unit.SCORE:
        return _of_score(agents, prediction, target, positive)
    return _of_probability(agents, prediction, target, formula, prevalence)


def _of_score(agents: Agents, prediction: np.ndarray, target: np.ndarray, positive: np.ndarray) -> dict[str, Statistic]:
    error = prediction - target
    return {
        "mse": mean(agents, error**2, bounded=True),
        "mae": mean(agents, np.abs(error), bounded=True),
        "r2": _explained(agents, error, target),
        **answer_quality(agents, prediction >= CALLED_FROM, positive),
    }


def _of_probability(
    agents: Agents, prediction: np.ndarray, target: np.ndarray, formula: np.ndarray, prevalence: float
) -> dict[str, Statistic]:
    squared, of_constant = (prediction - target) ** 2, (prevalence - target) ** 2
    passing = prediction > OUTCOME_ABOVE
    called = formula >= CALLED_FROM
    filtered = passing & (formula * prediction >= CALLED_FROM)
    certain = np.clip(prediction, _EDGE, 1.0 - _EDGE)
    surprise = -(xlogy(target, certain) + xlogy(1.0 - target, 1.0 - certain))
    return {
        "brier": mean(agents, squared, bounded=True),
        "brier_skill": ratio(agents, of_constant - squared, of_constant, bounded=False),
        "log_loss": mean(agents, surprise, bounded=False),
        "auc": AreaUnderCurve(agents, prediction, target > 0.5),
        "ece": expected_calibration_error(agents, prediction, target),
        "precision_at_filter": ratio(agents, passing * target, passing, bounded=True),
        "blocked_share": ratio(agents, called & ~filtered, called, bounded=True),
    }


def _explained(agents: Agents, error: np.ndarray, target: np.ndarray) -> OfSums:
    """1 - mse / variance of the target; the target is centred first, or its sums would cancel."""
    centred = target - target.mean()
    sums = agents.sums(error**2, centred**2, centred, np.ones(len(error)))

    def function(totals: np.ndarray) -> np.ndarray:
        squares, spread, shift, n = totals.T
        spread = spread - np.divide(shift**2, n, out=np.zeros_like(n), where=n > 0)
        explained: np.ndarray = 1.0 - np.divide(squares, spread, out=np.full_like(n, np.nan), where=spread > 0)
        return explained

    return OfSums(sums, function, (sums[:, 3],), bounded=False, n_rows=len(error))


def expected_calibration_error(agents: Agents, prediction: np.ndarray, target: np.ndarray) -> OfSums:
    """Average the distance between promise and truth over ten equally wide bins of the prediction.

    Args:
        agents: Whose the rows are.
        prediction: `(n_rows,)` in [0, 1].
        target: `(n_rows,)` in [0, 1].

    Returns:
        In [0, 1]; 0 is perfect.
    """
    place = np.minimum((prediction * _N_BINS).astype(np.int64), _N_BINS - 1)
    apart = np.bincount(agents.code * _N_BINS + place, prediction - target, agents.n * _N_BINS)
    n_rows = agents.sums(np.ones(len(prediction)))

    def function(totals: np.ndarray) -> np.ndarray:
        n = totals[:, _N_BINS]
        error: np.ndarray = np.divide(
            np.abs(totals[:, :_N_BINS]).sum(axis=1), n, out=np.full_like(n, np.nan), where=n > 0
        )
        return error

    sums = np.concatenate([apart.reshape(agents.n, _N_BINS), n_rows], axis=1)
    return OfSums(sums, function, (n_rows[:, 0],), bounded=False, n_rows=len(prediction))
