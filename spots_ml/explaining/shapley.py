"""Exact Shapley values of groups of inputs, through nothing but a model's answers.

Shapley (1953), "A value for n-person games"; the value of a coalition is the mean answer when its groups are the row's
own and all others come from the background (Lundberg & Lee 2017, "A unified approach to interpreting model
predictions", interventional). With a handful of groups all coalitions are asked, so nothing is sampled.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from spots_ml.errors import ContractError

Predict = Callable[[np.ndarray], np.ndarray]
"""`(n, n_inputs)` float32 -> `(n,)` floats."""

MAX_GROUPS: Final = 12
"""2^12 coalitions per row; the model has six groups at most."""
_ROWS_PER_CALL: Final = 4096


@dataclass(frozen=True)
class GroupShapley:
    """What each group adds to a row's answer.

    Attributes:
        groups: Names of the groups.
        contributions: `(n_rows, n_groups)` float64.
        answers: `(n_rows,)` float64, the model's answers.
        baseline_answer: Mean answer on the background.
        completeness_error: `(n_rows,)` float64, |sum of contributions - (answer - baseline answer)|; only rounding.
    """

    groups: tuple[str, ...]
    contributions: np.ndarray
    answers: np.ndarray
    baseline_answer: float
    completeness_error: np.ndarray


def group_shapley(
    predict: Predict, inputs: np.ndarray, background: np.ndarray, groups: Mapping[str, Sequence[int]]
) -> GroupShapley:
    """Compute the Shapley value of every group for every row.

    Args:
        predict: The model, asked `2^n_groups x n_rows x n_background` rows, a few thousand at a time.
        inputs: `(n_rows, n_inputs)`, the rows to explain.
        background: `(n_background, n_inputs)`, at least one row: what a group is replaced by. A single row of training
            means explains the distance from the average.
        groups: Positions of inputs by name; every input in exactly one group.

    Returns:
        The contributions. A group that the model does not use, or that equals the background, has exactly 0.

    Raises:
        ContractError: When the shapes do not fit, the background is empty, or the groups are no partition.

    >>> answer = group_shapley(lambda x: x.sum(axis=1), np.ones((1, 2)), np.zeros((1, 2)), {"a": [0], "b": [1]})
    >>> answer.contributions.tolist()
    [[1.0, 1.0]]
    """
    members = _masks(inputs, background, groups)
    n_groups = len(members)
    values = np.empty((1 << n_groups, len(inputs)))
    for coalition in range(1 << n_groups):
        ours = np.any([members[g] for g in range(n_groups) if coalition >> g & 1], axis=0)
        values[coalition] = _mean_answers(predict, inputs, background, np.broadcast_to(ours, inputs.shape[1]))
    contributions = np.zeros((len(inputs), n_groups))
    for g in range(n_groups):
        for coalition in range(1 << n_groups):
            if not coalition >> g & 1:
                size = coalition.bit_count()
                share = math.factorial(size) * math.factorial(n_groups - size - 1) / math.factorial(n_groups)
                contributions[:, g] += share * (values[coalition | 1 << g] - values[coalition])
    answers, baseline = values[-1], values[0]
    return GroupShapley(
        groups=tuple(groups),
        contributions=contributions,
        answers=answers,
        baseline_answer=float(baseline[0]) if len(inputs) else math.nan,
        completeness_error=np.abs(contributions.sum(axis=1) - (answers - baseline)),
    )


def _masks(inputs: np.ndarray, background: np.ndarray, groups: Mapping[str, Sequence[int]]) -> np.ndarray:
    """`(n_groups, n_inputs)` bool: which inputs are in which group."""
    if inputs.ndim != 2 or background.ndim != 2 or inputs.shape[1] != background.shape[1] or len(background) == 0:
        raise ContractError(
            f"inputs have the shape {inputs.shape}, the background {background.shape}; expected (n_rows, n_inputs) and "
            "(at least one row, n_inputs)"
        )
    if not 1 <= len(groups) <= MAX_GROUPS:
        raise ContractError(f"there are {len(groups)} groups; expected 1 to {MAX_GROUPS}: every coalition is asked")
    every = sorted(index for indices in groups.values() for index in indices)
    if every != list(range(inputs.shape[1])):
        raise ContractError(f"the groups hold the inputs {every}; expected each of {inputs.shape[1]} exactly once")
    masks = np.zeros((len(groups), inputs.shape[1]), dtype=bool)
    for mask, indices in zip(masks, groups.values(), strict=True):
        mask[list(indices)] = True
    return masks


def _mean_answers(predict: Predict, inputs: np.ndarray, background: np.ndarray, ours: np.ndarray) -> np.ndarray:
    """Mean answer over the background of every row; the inputs in `ours` are the row's own."""
    n_background = len(background)
    rows_per_piece = max(1, _ROWS_PER_CALL // n_background)
    means = np.empty(len(inputs))
    for start in range(0, len(inputs), rows_per_piece):
        piece = inputs[start : start + rows_per_piece]
        mixed = np.where(ours, piece[:, None, :], background[None, :, :]).reshape(-1, inputs.shape[1])
        answers = np.concatenate(
            [predict(mixed[at : at + _ROWS_PER_CALL]) for at in range(0, len(mixed), _ROWS_PER_CALL)]
        )
        means[start : start + len(piece)] = answers.astype(np.float64).reshape(len(piece), n_background).mean(axis=1)
    return means
