"""Fits how much a calling-score model may weigh, row by row: what distances mean, as the validation rows show it.

How the result is used is in `scoring.confidence`.
"""

import math
from typing import Any, Final

import numpy as np

from spots_ml.errors import ContractError
from spots_ml.estimates.agents import Agents
from spots_ml.estimates.estimate import lower_bound
from spots_ml.scoring.confidence import DECIMALS, FARTHEST, ConfidenceProfile, ConfidenceStep

ALPHA: Final = 0.002
"""Share of rows like the training's that may be called outside."""
MIN_VALIDATION_ROWS: Final = 50
"""With fewer, nothing is trusted."""
LEVELS: Final = (0.5, 0.2, 0.1, 0.05, 0.02)
"""A new shell begins where this share of the validation rows is farther."""
MIN_TAIL_ROWS: Final = 100
"""Validation rows farther than its inner edge that a shell needs, the innermost excepted."""
MIN_SPREAD: Final = 0.01
"""Least standard deviation an input counts with: an input that never varied may move by a hundredth, not by a tenth."""
MIN_SHRINKAGE: Final = 0.01
"""Inputs that depend on each other exactly (a mean and its parts) keep a hundredth of independent variation."""
COVERAGE: Final = 0.90
CONFIDENCE_LEVEL: Final = 0.95
"""One-sided, of the bound on the best weight."""

_INPUT_UNIT: Final = 2.0**-16
_CENTER_DECIMALS: Final = 6
_ORIGIN: Final = 0.5
_CHUNK_ROWS: Final = 16_384


def fit_confidence(
    train_features: np.ndarray,
    validation_features: np.ndarray,
    *,
    formula: np.ndarray,
    neural: np.ndarray,
    outcome: np.ndarray,
    agent: np.ndarray,
    alpha: float = ALPHA,
) -> ConfidenceProfile:
    """Fit a profile; the same arguments always give the same one.

    1. Center and covariance of the training rows; the correlation is shrunk to independence by the
       oracle-approximating share of Chen, Wiesel, Eldar and Hero (2010), at least `MIN_SHRINKAGE`.
    2. Outside is what lies beyond the k-th farthest validation row, k = ceil(alpha (n + 1) - 1), at least 1. Of rows
       exchangeable with the validation rows at most a share k / (n + 1), which is at most max(alpha, 1 / (n + 1)), is.
    3. The distances within are cut into shells. The weight of a shell is the lower bound of the best weight among all
       validation rows that are farther than the shell's inner edge, at most 1 and at most that of the shell within.
       The best weight minimises the squared error of (1 - w) formula + w neural; its bound is a one-sided t interval
       of a ratio of sums over agents. With one agent there is no bound and no weight.
    4. The half width of a shell is the ceil(0.9 (m + 1))-th smallest |outcome - neural| of its m validation rows.

    Args:
        train_features: `(n_training, n_inputs)` float32 in [0, 1], at least 2 rows.
        validation_features: `(n, n_inputs)` float32 in [0, 1]. With fewer than `MIN_VALIDATION_ROWS` rows the profile
            has no shells: the weight is 0 everywhere. The same when they are all out of reach of the training rows.
        formula: `(n,)` formula's score of the validation rows, in [0, 1].
        neural: `(n,)` model's answers, in [0, 1].
        outcome: `(n,)` outcome scores, in [0, 1].
        agent: `(n,)` codes of agents.
        alpha: Wanted share of rows like the training's that is outside, in (0, 1).

    Returns:
        The profile.

    Raises:
        ContractError: When the arrays do not fit each other, or a number is missing or not in its range.
    """
    columns = {
        "formula": np.asarray(formula, dtype=np.float64),
        "neural": np.asarray(neural, dtype=np.float64),
        "outcome": np.asarray(outcome, dtype=np.float64),
        "agent": np.asarray(agent),
    }
    _refuse_misfits(train_features, validation_features, columns)
    if not 0.0 < alpha < 1.0:
        raise ContractError(f"alpha is {alpha}; expected a share above 0 and below 1")
    center, whitening = _whiten(train_features)
    agents = Agents.of(columns.pop("agent"))
    facts: dict[str, Any] = {
        "center": center,
        "whitening": whitening,
        "alpha": alpha,
        "n_training_rows": len(train_features),
        "n_validation_rows": len(validation_features),
        "n_validation_agents": agents.n,
    }
    bare = ConfidenceProfile(**facts, steps=())
    if len(validation_features) < MIN_VALIDATION_ROWS:
        return bare
    steps = _steps(bare.distances(validation_features), **columns, agent=agents.code, alpha=alpha)
    return ConfidenceProfile(**facts, steps=steps)


def _refuse_misfits(train: np.ndarray, validation: np.ndarray, columns: dict[str, np.ndarray]) -> None:
    problems = []
    if train.ndim != 2 or len(train) < 2 or validation.ndim != 2 or train.shape[1] != validation.shape[1]:
        problems.append(f"training and validation features have the shapes {train.shape} and {validation.shape}")
    problems += [
        f"{name} has the shape {values.shape}, the validation features have {len(validation)} rows"
        for name, values in columns.items()
        if values.shape != validation.shape[:1]
    ]
    numbers = {"training features": train, "validation features": validation, **columns}
    problems += [
        f"{name} has values that are not in [0, 1]"
        for name, values in numbers.items()
        if name != "agent" and not np.all((values >= 0.0) & (values <= 1.0))
    ]
    if problems:
        raise ContractError(
            f"no confidence can be fitted: {'; '.join(problems)}; expected (n, n_inputs) features and, for each "
            "validation row, formula, neural and outcome in [0, 1] and an agent"
        )


def _whiten(features: np.ndarray) -> tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]:
    """Give the center and the lower triangle L of precision = L L^T; sums are of whole numbers, so exact."""
    n_rows, n_inputs = features.shape
    total, products = np.zeros(n_inputs), np.zeros((n_inputs, n_inputs))
    for start in range(0, n_rows, _CHUNK_ROWS):
        # Below 2^15, their products below 2^30: the sums are exact for eight million rows.
        moved = np.rint((features[start : start + _CHUNK_ROWS] - np.float64(_ORIGIN)) / _INPUT_UNIT)
        total += moved.sum(axis=0)
        products += moved.T @ moved
    mean = total / n_rows
    covariance = (products / n_rows - np.outer(mean, mean)) * _INPUT_UNIT**2
    spread = np.sqrt(np.maximum(np.diag(covariance), MIN_SPREAD**2))
    correlation = covariance / np.outer(spread, spread)
    np.fill_diagonal(correlation, 1.0)
    share = max(_shrinkage(correlation, n_rows), MIN_SHRINKAGE)
    shrunk = (1.0 - share) * correlation + share * np.eye(n_inputs)
    # shrunk = U U^T with U upper, taken as the lower factor of the reversed matrix; so shrunk^-1 = L L^T, L = U^-T.
    upper = np.linalg.cholesky(shrunk[::-1, ::-1])[::-1, ::-1]
    lower = np.linalg.inv(upper).T / spread[:, None]
    center = tuple((_ORIGIN + mean * _INPUT_UNIT).round(_CENTER_DECIMALS).tolist())
    rows = lower.round(DECIMALS) + 0.0
    return center, tuple(tuple(row[: position + 1].tolist()) for position, row in enumerate(rows))


def _shrinkage(correlation: np.ndarray, n_rows: int) -> float:
    n_inputs = len(correlation)
    trace, squares = np.trace(correlation), np.sum(correlation**2)
    denominator = (n_rows + 1.0) * (squares - trace**2 / n_inputs)
    return 1.0 if denominator <= 0.0 else min(1.0, (squares + trace**2) / denominator)


def _steps(
    distance: np.ndarray,
    *,
    formula: np.ndarray,
    neural: np.ndarray,
    outcome: np.ndarray,
    agent: np.ndarray,
    alpha: float,
) -> tuple[ConfidenceStep, ...]:
    ordered, n_rows = np.sort(distance), len(distance)
    farthest = ordered[n_rows - max(1, math.ceil(alpha * (n_rows + 1) - 1.0))]
    levels = [level for level in LEVELS if level * n_rows >= MIN_TAIL_ROWS]
    inner_edges = {float(ordered[n_rows - math.ceil(level * n_rows) - 1]) for level in levels}
    edges = sorted(edge for edge in inner_edges | {float(farthest)} if edge <= farthest and edge < FARTHEST)
    steps: list[ConfidenceStep] = []
    before, weight = -1.0, 1.0
    for edge in edges:
        tail, shell = distance > before, (distance > before) & (distance <= edge)
        bound = _lower_bound(formula[tail], neural[tail], outcome[tail], agent[tail])
        weight = min(weight, max(0.0, bound))
        half_width = _half_width(np.abs(outcome - neural)[shell])
        steps.append(ConfidenceStep(up_to=edge, weight=weight, half_width=half_width, n_rows=int(shell.sum())))
        before = edge
    return tuple(steps)


def _lower_bound(formula: np.ndarray, neural: np.ndarray, outcome: np.ndarray, agent: np.ndarray) -> float:
    """Bound the best weight from below; 0 where the rows cannot say anything."""
    agents = Agents.of(agent)
    gain, square = agents.sums((outcome - formula) * (neural - formula), (neural - formula) ** 2).T
    bound = lower_bound(gain, square, CONFIDENCE_LEVEL)
    return 0.0 if bound is None else float(f"{bound:.4f}")


def _half_width(residual: np.ndarray) -> float | None:
    rank = math.ceil(COVERAGE * (len(residual) + 1))
    return None if rank > len(residual) else float(f"{np.sort(residual)[rank - 1]:.4f}")
