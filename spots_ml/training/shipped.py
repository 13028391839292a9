"""What ships is a decision, not a network: how good that decision is on rows with known outcomes.

The network's answer is blended with the app's formula at the version's weight, an outcome model may block what that
calls, and the threshold decides. Each such decision is measured on the same rows beside that of the formula alone, with
the same agents on both sides of every difference.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from spots_ml.estimates.agents import Agents, Resampling
from spots_ml.estimates.estimate import Estimate
from spots_ml.estimates.statistic import Difference, Statistic, answer_quality, estimate_all, mean, ratio
from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.models.spec import Role
from spots_ml.scoring.decision import CALLED_FROM, decide_calls

FORMULA: Final = "formula"
"""The decision of the formula alone: called from the threshold on, nothing blocked."""
FILTERED: Final = "formula_filtered"
"""The formula's decision where the outcome model may block a call."""
ERROR: Final = "mse"
"""Mean squared distance of the blended score from the outcome score; smaller is better."""


class ShippedDecision(BaseModel):
    """One way to decide, on rows with known outcomes."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    numbers: dict[str, Estimate] = Field(
        description="`mse` of the blended score against the outcome score; `called_share`; of called against positive "
        "`accuracy`, `precision`, `recall`, `f1`; `blocked_share`, of what would be called without the filter, the "
        "share that is not called with it."
    )
    more_than_formula: dict[str, Estimate] = Field(
        description="How much larger each number is than the formula's, agents paired; none for the formula itself."
    )


@dataclass(frozen=True)
class Decided:
    """What was decided about some rows.

    Attributes:
        score: `(n_rows,)` in [0, 1], formula and network blended, before any filter.
        called: `(n_rows,)` bool.
        blocked: `(n_rows,)` bool, whether an outcome filter said no; None: there is none.
    """

    score: np.ndarray
    called: np.ndarray
    blocked: np.ndarray | None = None


def hybrid_name(weight: float) -> str:
    """Name the decision of a weight.

    Args:
        weight: Of the network, in [0, 1].

    Returns:
        The name.

    >>> hybrid_name(0.1)
    'hybrid_at_0.1'
    """
    return f"hybrid_at_{weight:g}"


def shipped_by(model_type: ModelType, answers: np.ndarray, formula: np.ndarray) -> dict[str, Decided]:
    """Decide with a model's answers by its role, as far as that takes no other model.

    Args:
        model_type: Which model.
        answers: `(n_rows,)` in [0, 1], its own.
        formula: `(n_rows,)` in [0, 1], the app's formula.

    Returns:
        By what decides, the formula last: a neural score at each weight that it may have, without a filter; an outcome
        filter on the formula's calls. Nothing for a model that has no part in the decision.
    """
    answers, spec = np.asarray(answers, dtype=np.float64), model_spec(model_type)
    alone = Decided(formula, formula >= CALLED_FROM)
    if spec.role is Role.NEURAL_SCORE:
        scores = {weight: (1.0 - weight) * formula + weight * answers for weight in spec.shipped_weights}
        hybrids = {hybrid_name(weight): Decided(score, score >= CALLED_FROM) for weight, score in scores.items()}
        return {**hybrids, FORMULA: alone}
    if spec.role is Role.OUTCOME_FILTER:
        nobody = np.full(len(formula), np.nan)
        filtered = decide_calls(formula, nobody, answers, weight=np.zeros(len(formula)))
        return {FILTERED: Decided(formula, filtered.called, filtered.blocked), FORMULA: alone}
    return {}


def measure_decisions(
    rows: LabelledRows, decided: Mapping[str, Decided], resampling: Resampling
) -> dict[str, ShippedDecision]:
    """Measure ways to decide about the same rows.

    Args:
        rows: Rows with known outcomes, at least one.
        decided: What was decided about them, by what decided; `FORMULA` among them unless there is none.
        resampling: How agents are drawn again.

    Returns:
        Numbers and their differences from the formula's, in the same order. The formula's own number has no difference.
    """
    agents = Agents.of(rows.agent)
    found = {name: _numbers(agents, rows, one) for name, one in decided.items()}
    reference = found.get(FORMULA, {})
    differences: dict[str, dict[str, Statistic]] = {
        name: {
            key: Difference(number, reference[key])
            for key, number in numbers.items()
            if name != FORMULA and key in reference
        }
        for name, numbers in found.items()
    }
    return {
        name: ShippedDecision(
            numbers=estimate_all(numbers, resampling), more_than_formula=estimate_all(differences[name], resampling)
        )
        for name, numbers in found.items()
    }


def _numbers(agents: Agents, rows: LabelledRows, one: Decided) -> dict[str, Statistic]:
    error = np.asarray(one.score, dtype=np.float64) - rows.outcome_score
    numbers: dict[str, Statistic] = {
        ERROR: mean(agents, error**2, bounded=True),
        "called_share": mean(agents, one.called, bounded=True),
        **answer_quality(agents, one.called, rows.positive),
    }
    if one.blocked is not None:
        # As in `scoring.decision_effect`: a P that blocks nothing takes a call away, too, where score x P is too low.
        would_call = np.asarray(one.score) >= CALLED_FROM
        numbers["blocked_share"] = ratio(agents, would_call & ~one.called, would_call, bounded=True)
    return numbers
