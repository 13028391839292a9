"""From scores to a decision, in the app's order: blend, outcome filter, trend boost, threshold.

And everything that is known about each row afterwards. How the scores come about is in `scorer`.
"""

from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import pyarrow as pa

from spots_ml.models.declared import model_in
from spots_ml.models.spec import Role
from spots_ml.scoring.arms import Arm, by_row
from spots_ml.scoring.fallback import ANSWERED, FALLBACK_REASONS
from spots_ml.scoring.formula import CALLED_FROM, FormulaScore

__all__ = ["CALLED_FROM", "OUTCOME_ABOVE", "Decision", "decide_calls"]

OUTCOME_ABOVE: Final = 0.70
"""A call needs a P(positive) above this."""


@dataclass(frozen=True)
class Decision:
    """What is decided about each row.

    Attributes:
        hybrid_score: `(n_rows,)` float64 in [0, 1], formula and neural score blended.
        score: `(n_rows,)` float64 in [0, 1], the calling score; of a blocked row the hybrid score.
        blocked: `(n_rows,)` bool, whether the outcome filter said no.
        called: `(n_rows,)` bool.
    """

    hybrid_score: np.ndarray
    score: np.ndarray
    blocked: np.ndarray
    called: np.ndarray


def decide_calls(
    formula: np.ndarray,
    neural: np.ndarray,
    outcome_probability: np.ndarray,
    *,
    weight: np.ndarray,
    trend_boost: np.ndarray | float = 0.0,
    filter_on: np.ndarray | bool = True,
) -> Decision:
    """Decide whom to call.

    In this order: hybrid score = (1 - w) x formula + w x neural; P(positive) <= 0.70 blocks the call and ends here;
    else score = hybrid score x P x (1 + trend boost), at most 1; called if the score is at least 0.70. Where the filter
    is off, P neither blocks nor counts: score = hybrid score x (1 + trend boost), at most 1.

    Args:
        formula: `(n_rows,)` in [0, 1].
        neural: `(n_rows,)` in [0, 1]; NaN where the model did not answer, which makes the weight 0.
        outcome_probability: `(n_rows,)` P(positive) in [0, 1].
        weight: `(n_rows,)` w in [0, 1]; 0 for agents of the group `formulaBased`.
        trend_boost: In [-0.1, 0.2], a number or `(n_rows,)`.
        filter_on: Whether the outcome filter is on, for all or `(n_rows,)` bool.

    Returns:
        The decision; each row depends on itself alone, bit by bit.

    >>> neural, positive = np.array([0.5, np.nan]), np.array([0.9, 0.7])
    >>> both = decide_calls(np.array([0.9, 0.9]), neural, positive, weight=np.array([0.1, 0.1]))
    >>> both.hybrid_score.round(3).tolist(), both.score.round(3).tolist(), both.blocked.tolist(), both.called.tolist()
    ([0.86, 0.9], [0.774, 0.9], [False, True], [True, False])
    >>> off = decide_calls(np.array([0.9]), neural[1:], positive[1:], weight=np.array([0.1]), filter_on=False)
    >>> float(off.score[0]), bool(off.blocked[0]), bool(off.called[0])
    (0.9, False, True)
    """
    hybrid = np.where(np.isnan(neural), formula, (1.0 - weight) * formula + weight * neural)
    passes, factor = outcome_probability > OUTCOME_ABOVE, outcome_probability
    if not np.all(filter_on):
        passes, factor = passes | ~np.asarray(filter_on), np.where(filter_on, factor, 1.0)
    boosted = np.minimum(hybrid * factor * (1.0 + trend_boost), 1.0)
    score = np.where(passes, boosted, hybrid)
    return Decision(hybrid_score=hybrid, score=score, blocked=~passes, called=passes & (score >= CALLED_FROM))


_One = TypeVar("_One")


@dataclass(frozen=True)
class Scores:
    """Everything that is known after scoring, one value per row.

    Attributes:
        formula: The formula's score with its breakdown.
        neural_score: float64 in [0, 1], NaN where the model did not answer. Also computed for agents of the group
            `formulaBased`, whose decision it does not touch.
        outcome_probability: float64 in [0, 1], P(positive); the outcome rule's where the model did not answer.
        weight: float64, share of the neural score; 0 for the group `formulaBased` and where the model did not answer.
        hybrid_score: float64 in [0, 1], formula and neural score blended.
        score: float64 in [0, 1], the calling score.
        called: bool.
        filter_on: bool, whether the outcome filter could say no.
        blocked: bool, whether it did.
        explored: bool, whether the decision was left to a fair coin.
        propensity: float64 in (0, 1], how probable the decision was, given the features.
        hybrid: bool, the agent's group.
        calling_score_fallback: int8, position in `FALLBACK_REASONS`, or `ANSWERED`.
        outcome_fallback: int8, likewise.
        position: int8, where the row's arm stands among the arms.
        arms: The formula, the champion, and any challengers.
    """

    formula: FormulaScore
    neural_score: np.ndarray
    outcome_probability: np.ndarray
    weight: np.ndarray
    hybrid_score: np.ndarray
    score: np.ndarray
    called: np.ndarray
    filter_on: np.ndarray
    blocked: np.ndarray
    explored: np.ndarray
    propensity: np.ndarray
    hybrid: np.ndarray
    calling_score_fallback: np.ndarray
    outcome_fallback: np.ndarray
    position: np.ndarray
    arms: tuple[Arm, ...]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.score)

    @property
    def answers(self) -> dict[str, np.ndarray]:
        """`(n_rows,)` answers by model, each as it entered the decision."""
        return by_model(self.neural_score, self.outcome_probability)

    @property
    def fallbacks(self) -> dict[str, np.ndarray]:
        """`(n_rows,)` fallback codes by model."""
        return by_model(self.calling_score_fallback, self.outcome_fallback)

    @property
    def fell_back(self) -> np.ndarray:
        """`(n_rows,)` bool: whether the formula or the rule stood in for any model."""
        fallen: np.ndarray = (self.calling_score_fallback != ANSWERED) | (self.outcome_fallback != ANSWERED)
        return fallen

    def of_arm(self, name: str, type_: pa.DataType) -> pa.Array:
        """Say per row what its arm says.

        Args:
            name: An attribute of an arm, or a kind of model for its version.
            type_: The type.

        Returns:
            `(n_rows,)` values.
        """
        return by_row(self.arms, self.position, name, type_)

    def fallback_texts(self) -> list[str | None]:
        """Say per row which models did not answer and why.

        Returns:
            `(n_rows,)` texts such as `calling_score: damaged, outcome: slow`; None where both answered.
        """
        pairs = zip(self.calling_score_fallback.tolist(), self.outcome_fallback.tolist(), strict=True)
        return [FALLBACK_TEXTS[pair] for pair in pairs]

    def fallback_counts(self) -> dict[str, int]:
        """Count fallbacks by model and reason.

        Returns:
            Rows by `model: reason`, such as `outcome: slow`; only what occurred.
        """
        counts = {}
        for model_type, codes in self.fallbacks.items():
            found = np.bincount(codes.astype(np.int64) + 1, minlength=len(FALLBACK_REASONS) + 1)[1:]
            for reason, count in zip(FALLBACK_REASONS, found.tolist(), strict=True):
                if count:
                    counts[f"{model_type}: {reason}"] = count
        return counts


class WholeScores:
    """Scores of all rows, into which pieces are put in any order, by several threads.

    Args:
        first: The scores of the first rows.
        n_rows: How many there will be.
    """

    def __init__(self, first: Scores, n_rows: int) -> None:
        self._arms = first.arms
        self._columns, self._breakdown = (
            {name: np.empty(n_rows, values.dtype) for name, values in _arrays(one).items()}
            for one in (first, first.formula)
        )
        self.put(first, 0)

    def put(self, piece: Scores, start: int) -> None:
        """Copy a piece to where it belongs."""
        for whole, part in ((self._columns, piece), (self._breakdown, piece.formula)):
            for name, values in whole.items():
                values[start : start + piece.n_rows] = getattr(part, name)

    def scores(self) -> Scores:
        """Hand out what was put together."""
        return Scores(
            formula=FormulaScore(**self._breakdown),
            arms=self._arms,
            **self._columns,
        )


def _arrays(one: Scores | FormulaScore) -> dict[str, np.ndarray]:
    return {name: values for name, values in vars(one).items() if isinstance(values, np.ndarray)}


def by_model(neural_score: _One, outcome_filter: _One) -> dict[str, _One]:
    """Name what there is of the two models of a decision by their kinds.

    Args:
        neural_score: Of the model whose answer is blended with the formula.
        outcome_filter: Of the model that may block a call.

    Returns:
        Both, by kind.
    """
    return {model_in(Role.NEURAL_SCORE).name: neural_score, model_in(Role.OUTCOME_FILTER).name: outcome_filter}


def _fallback_text(calling_score: int, outcome: int) -> str | None:
    told = [
        f"{model_type}: {FALLBACK_REASONS[code]}"
        for model_type, code in by_model(calling_score, outcome).items()
        if code != ANSWERED
    ]
    return ", ".join(told) or None


_CODES: Final = range(ANSWERED, len(FALLBACK_REASONS))
FALLBACK_TEXTS: Final = {(one, other): _fallback_text(one, other) for one in _CODES for other in _CODES}
"""Codes of both models -> how their fallbacks are told; None where both answered."""
