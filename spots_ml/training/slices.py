"""Where a network must not be worse than the app's formula: kinds of opportunities and agents, declared here alone.

A mean over all test rows hides a network that is much worse for some. On a slice with enough agents it may not be worse
beyond doubt; on a smaller one it is told and nothing more.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from spots_ml.estimates.agents import Agents, Resampling, effective_number
from spots_ml.estimates.estimate import Estimate
from spots_ml.estimates.statistic import Difference, estimate_all
from spots_ml.features.contract import FEATURES, HISTORY_FEATURES
from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.scoring.decision import CALLED_FROM
from spots_ml.training.metrics import quality

LEAST_SLICE_AGENTS: Final = 30
"""Equal agents that a slice must be worth before it decides anything."""
_PROXIMITY: Final = FEATURES.index("location_proximity")
_COUNT: Final = HISTORY_FEATURES.index("interaction_count")

SLICES: Final[Mapping[str, Callable[[LabelledRows, np.ndarray], np.ndarray]]] = {
    "called_by_formula": lambda rows, formula: formula >= CALLED_FROM,
    "not_called_by_formula": lambda rows, formula: formula < CALLED_FROM,
    "near": lambda rows, formula: rows.features[:, _PROXIMITY] > 0.8,
    "far": lambda rows, formula: rows.features[:, _PROXIMITY] < 0.5,
    "without_history": lambda rows, formula: rows.history[:, _COUNT] == 0.0,
    "with_history": lambda rows, formula: rows.history[:, _COUNT] > 0.0,
    "something_unknown": lambda rows, formula: np.asarray(rows.unknown.any(axis=1)),
}
"""Name -> which rows, by rows and calling scores of the formula; near and far are where the formula draws its lines."""


class SliceFound(BaseModel):
    """Network and formula on one slice of the test rows."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    n_rows: int = Field(ge=1, description="Test rows in it.")
    effective_agents: float = Field(ge=1.0, description="As many equal agents would have as much to say.")
    decides: bool = Field(description="Whether there are enough agents for it to decide.")
    network: Estimate = Field(description="The network's headline number.")
    formula: Estimate = Field(description="The formula's.")
    lead: Estimate = Field(description="How far the network is better, agents paired.")


def measure_slices(
    model_type: ModelType,
    rows: LabelledRows,
    network: np.ndarray,
    by_formula: np.ndarray,
    *,
    formula: np.ndarray,
    prevalence: float,
    resampling: Resampling,
) -> dict[str, SliceFound]:
    """Measure network and formula on every slice that has rows.

    Args:
        model_type: Decides which number is taken.
        rows: The test rows.
        network: `(n_rows,)` in [0, 1], the network's answers.
        by_formula: `(n_rows,)` in [0, 1], what the formula predicts of the target.
        formula: `(n_rows,)` in [0, 1], the formula's calling score.
        prevalence: Mean target of the training rows.
        resampling: How agents are drawn again.

    Returns:
        What was found, by name of the slice.
    """
    headline, target, found = model_spec(model_type).headline, rows.target(model_type), {}
    for name, belongs in SLICES.items():
        chosen = np.flatnonzero(belongs(rows, formula))
        if not len(chosen):
            continue
        agents = Agents.of(rows.agent[chosen])
        own, other = (
            quality(
                model_type,
                agents,
                prediction[chosen],
                target=target[chosen],
                positive=rows.positive[chosen],
                formula=formula[chosen],
                prevalence=prevalence,
            )[headline.metric]
            for prediction in (network, by_formula)
        )
        lead = Difference(other, own) if headline.smaller_is_better else Difference(own, other)
        estimates = estimate_all({"network": own, "formula": other, "lead": lead}, resampling)
        effective = round(effective_number(np.bincount(agents.code).astype(np.float64)), 3)
        found[name] = SliceFound(
            n_rows=len(chosen), effective_agents=effective, decides=effective >= LEAST_SLICE_AGENTS, **estimates
        )
    return found


def worse_slices(slices: Mapping[str, SliceFound], *, tolerated_excess: float) -> list[str]:
    """Name the slices on which the network is worse than the formula beyond doubt.

    Args:
        slices: What was measured.
        tolerated_excess: By how much it may be worse anyway, as a share of the formula's number.

    Returns:
        Slices with enough agents whose whole interval of the lead lies below nought, and whose lead is farther below it
        than is tolerated.
    """
    return [
        name
        for name, one in slices.items()
        if one.decides
        and one.lead.value is not None
        and one.lead.high is not None
        and one.lead.high < 0.0
        and one.lead.value < -tolerated_excess * (one.formula.value or 0.0)
    ]
