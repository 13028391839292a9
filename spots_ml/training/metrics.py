"""Numbers that say how good predictions are, on weighted rows; intervals and verdicts are in `evaluation`.

A weight is how often a row counts (bootstrap resamples repeat agents). A number that has no meaning for the rows at
hand (precision where nothing is predicted, AUC with one class) is NaN.
"""

from typing import Final

import numpy as np
from scipy.special import xlogy

from spots_ml.models.declared import ModelType, model_spec
from spots_ml.models.spec import Unit
from spots_ml.scoring.decision import CALLED_FROM, OUTCOME_ABOVE

SQUARED_ERROR: Final[dict[Unit, str]] = {Unit.SCORE: "mse", Unit.PROBABILITY: "brier"}
"""What the mean squared error is called among the numbers of a unit."""
_N_BINS: Final = 10
_EDGE: Final = 1e-7
"""Probabilities are kept this far from 0 and 1 in the log loss: one wrong certainty would make it infinite."""


def measure(
    model_type: ModelType,
    prediction: np.ndarray,
    *,
    target: np.ndarray,
    positive: np.ndarray,
    formula: np.ndarray,
    prevalence: float,
    weight: np.ndarray,
) -> dict[str, float]:
    """Measure one predictor.

    Args:
        model_type: Decides which numbers are taken.
        prediction: `(n_rows,)` in [0, 1].
        target: `(n_rows,)` in [0, 1]; 0 or 1 where a probability is predicted.
        positive: `(n_rows,)` bool, whether the outcome was positive.
        formula: `(n_rows,)` in [0, 1], the formula's calling score.
        prevalence: Mean target of the training rows, what a constant would predict.
        weight: `(n_rows,)`, at least 0, not all 0.

    Returns:
        Values by name, NaN where undefined. Of a score: `mse`, `mae`, `r2` (1 is perfect, 0 as good as the test
        mean) and, of called against positive, `accuracy`, `precision`, `recall`, `f1`. Of a probability: `brier`,
        `brier_skill` (1 is perfect, 0 as good as the constant), `log_loss` (nats), `auc`, `ece`, `precision_at_filter`
        (share of positive outcomes among P > 0.7), `blocked_share` (share of the formula's calls with P <= 0.7).
    """
    prediction = np.asarray(prediction, dtype=np.float64)
    target = np.asarray(target, dtype=np.float64)
    if model_spec(model_type).unit is Unit.SCORE:
        return _of_score(prediction, target, positive, weight)
    return _of_probability(prediction, target, formula, prevalence, weight)


def _of_score(prediction: np.ndarray, target: np.ndarray, positive: np.ndarray, weight: np.ndarray) -> dict[str, float]:
    error = prediction - target
    mse = _mean(error**2, weight)
    spread = _mean((target - _mean(target, weight)) ** 2, weight)
    called = prediction >= CALLED_FROM
    hits = float(weight @ (called & positive))
    precision, recall = _ratio(hits, float(weight @ called)), _ratio(hits, float(weight @ positive))
    return {
        "mse": mse,
        "mae": _mean(np.abs(error), weight),
        "r2": 1.0 - _ratio(mse, spread),
        "accuracy": _mean((called == positive).astype(np.float64), weight),
        "precision": precision,
        "recall": recall,
        "f1": _ratio(2.0 * hits, float(weight @ called) + float(weight @ positive)),
    }


def _of_probability(
    prediction: np.ndarray, target: np.ndarray, formula: np.ndarray, prevalence: float, weight: np.ndarray
) -> dict[str, float]:
    brier = _mean((prediction - target) ** 2, weight)
    passing = prediction > OUTCOME_ABOVE
    called = formula >= CALLED_FROM
    certain = np.clip(prediction, _EDGE, 1.0 - _EDGE)
    return {
        "brier": brier,
        "brier_skill": 1.0 - _ratio(brier, _mean((prevalence - target) ** 2, weight)),
        "log_loss": -_mean(xlogy(target, certain) + xlogy(1.0 - target, 1.0 - certain), weight),
        "auc": area_under_curve(prediction, target > 0.5, weight),
        "ece": expected_calibration_error(prediction, target, weight),
        "precision_at_filter": _ratio(float((weight * passing) @ target), float(weight @ passing)),
        "blocked_share": _ratio(float(weight @ (called & ~passing)), float(weight @ called)),
    }


def area_under_curve(prediction: np.ndarray, positive: np.ndarray, weight: np.ndarray) -> float:
    """Estimate the probability that a positive row is ranked above a negative one; a tie counts half (Mann-Whitney).

    Args:
        prediction: `(n_rows,)`.
        positive: `(n_rows,)` bool.
        weight: `(n_rows,)`, at least 0.

    Returns:
        In [0, 1]; NaN when one class has no weight.
    """
    _, rank = np.unique(prediction, return_inverse=True)
    above = np.bincount(rank, weight * positive)
    below = np.bincount(rank, weight * ~positive)
    beaten = np.cumsum(below) - below / 2.0
    return _ratio(float(above @ beaten), float(above.sum() * below.sum()))


def expected_calibration_error(prediction: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
    """Average the distance between promise and truth over ten equally wide bins of the prediction.

    Args:
        prediction: `(n_rows,)` in [0, 1].
        target: `(n_rows,)` in [0, 1].
        weight: `(n_rows,)`, at least 0, not all 0.

    Returns:
        In [0, 1]; 0 is perfect.
    """
    place = np.minimum((prediction * _N_BINS).astype(np.int64), _N_BINS - 1)
    return float(np.abs(np.bincount(place, weight * (prediction - target), _N_BINS)).sum() / weight.sum())


def _mean(values: np.ndarray, weight: np.ndarray) -> float:
    return float(weight @ values) / float(weight.sum())


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0.0 else float("nan")
