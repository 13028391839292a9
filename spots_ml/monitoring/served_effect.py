"""What the decisions that were served do to people, beside the formula, within the bounds that versions were let in by.

The decision log says of every decision what the formula alone would have scored: no second run is needed.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from spots_ml.estimates.agents import N_RESAMPLES, Resampling
from spots_ml.estimates.estimate import Estimate
from spots_ml.estimates.statistic import estimate_all, mean
from spots_ml.interactions.columns import agents_by_name
from spots_ml.scoring.decision import CALLED_FROM
from spots_ml.scoring.decision_effect import (
    BOUNDS,
    DecisionBounds,
    DecisionEffect,
    measure_effect,
    out_of_bounds,
    too_few,
)
from spots_ml.scoring.decision_log.deciding_arms import deciding_arms
from spots_ml.scoring.decision_log.trend import blended_scores, trend_factors

_COLUMNS = (
    *("agent_id", "origin", "group", "version", "arm", "weight", "formula_score", "neural_score", "called", "explored"),
    *("outcome_probability", "score", "blocked", "fallback", "trend_boost"),
)


class ServedEffect(BaseModel):
    """What one arm did to the decision."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    effect: DecisionEffect = Field(description="Beside the formula alone; decisions left to a coin are left out.")
    fallback: Estimate = Field(description="Share of the decisions in which a model did not answer.")
    too_few: str | None = Field(description="Why nothing is judged; null: it is.")
    problems: tuple[str, ...] = Field(description="Bounds that are not kept.")


def measure_served(
    decisions: pa.Table, *, bounds: DecisionBounds = BOUNDS, seed: int, n_resamples: int = N_RESAMPLES
) -> tuple[ServedEffect, ...]:
    """Hold what was served against what the formula alone would have called.

    Args:
        decisions: Rows with the columns of `DECISIONS`; only those that were served count.
        bounds: What is allowed.
        seed: Of the resampling.
        n_resamples: How many times agents are drawn.

    Returns:
        One per arm, by name; empty where nothing was served.
    """
    table = decisions.select(list(_COLUMNS))
    table = table.set_column(table.column_names.index("arm"), "arm", deciding_arms(table))
    table = table.filter(pc.and_(pc.equal(table["origin"], "served"), pc.invert(table["explored"])))
    resampling = Resampling(seed, n_resamples)
    return tuple(
        _measure_arm(table.filter(pc.equal(table["arm"], arm)), arm, bounds, resampling)
        for arm in sorted(pc.unique(table["arm"]).to_pylist())
    )


def _measure_arm(table: pa.Table, arm: str, bounds: DecisionBounds, resampling: Resampling) -> ServedEffect:
    agents = agents_by_name(table["agent_id"])
    formula, called = table["formula_score"].to_numpy(), table["called"].to_numpy()
    blended = blended_scores(table)
    boost = trend_factors(table)
    effect = measure_effect(
        agents,
        decides=arm,
        against="the formula alone",
        called=called,
        called_before=formula * boost >= CALLED_FROM,
        would_call=blended * boost >= CALLED_FROM,
        resampling=resampling,
    )
    fallen = mean(agents, np.asarray(pc.is_valid(table["fallback"]).to_numpy()), bounded=True)
    few = too_few(effect, bounds)
    return ServedEffect(
        effect=effect,
        fallback=estimate_all({"fallback": fallen}, resampling)["fallback"],
        too_few=few,
        problems=() if few else out_of_bounds(effect, bounds),
    )
