"""Platt scaling: two numbers, fitted on validation rows, that make a classifier's probabilities honest.

Platt (1999), "Probabilistic outputs for support vector machines", with its smoothed targets.
"""

from typing import Final

import numpy as np
from scipy.special import expit

MIN_SLOPE: Final = 0.05
MAX_SLOPE: Final = 20.0
"""The slope stays in here: it must not turn the ranking round, nor make a step of it."""
_N_STEPS: Final = 100
_ENOUGH: Final = 1e-10
_RIDGE: Final = 1e-9


def fit_calibration(logits: np.ndarray, positive: np.ndarray) -> tuple[float, float]:
    """Fit slope and intercept of the logit by maximum likelihood (Newton's method).

    Args:
        logits: `(n_rows,)` uncalibrated logits of rows the network was not fitted on.
        positive: `(n_rows,)` bool.

    Returns:
        Slope in [0.05, 20] and intercept, so that `sigmoid(slope * logit + intercept)` is calibrated. Without rows of
        both classes, or when the logits do not vary, nothing can be learned: (1, 0).
    """
    n_positive = int(np.sum(positive))
    n_negative = len(positive) - n_positive
    x = np.asarray(logits, dtype=np.float64)
    if n_positive == 0 or n_negative == 0 or np.ptp(x) < _ENOUGH:
        return 1.0, 0.0
    target = np.where(positive, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    design = np.stack([x, np.ones_like(x)], axis=1)
    slope, intercept = 1.0, 0.0
    for _ in range(_N_STEPS):
        step = _newton_step(design, target, slope, intercept)
        slope, intercept = slope - step[0], intercept - step[1]
        if np.abs(step).max() < _ENOUGH:
            break
    if not MIN_SLOPE <= slope <= MAX_SLOPE:
        slope = float(np.clip(slope, MIN_SLOPE, MAX_SLOPE))
        intercept = _best_intercept(slope * x, target)
    return float(slope), float(intercept)


def _newton_step(design: np.ndarray, target: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    probability = expit(slope * design[:, 0] + intercept)
    gradient = design.T @ (probability - target)
    curvature = (design * (probability * (1.0 - probability))[:, None]).T @ design
    step = np.linalg.solve(curvature + _RIDGE * np.eye(2), gradient)
    return np.clip(step, -1.0, 1.0)


def _best_intercept(scaled: np.ndarray, target: np.ndarray) -> float:
    low, high = -50.0 - float(np.max(np.abs(scaled))), 50.0 + float(np.max(np.abs(scaled)))
    for _ in range(_N_STEPS):
        middle = (low + high) / 2.0
        if np.sum(expit(scaled + middle) - target) > 0.0:
            high = middle
        else:
            low = middle
    return (low + high) / 2.0
