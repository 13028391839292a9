"""What a way to decide changes for people, and by how much it may: measured on rows, judged against declared bounds.

It is asked of a version before it answers anything (`registry.gates.decision_gate`), and daily of what was served
(`monitoring.served_effect`). Why the bounds are what they are: `docs/decisions/decision-effect.md`.
"""

from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from spots_ml.estimates.agents import Agents, Resampling
from spots_ml.estimates.estimate import LEAST_AGENTS, Estimate
from spots_ml.estimates.statistic import Difference, Statistic, estimate_all, mean, ratio


class DecisionBounds(BaseModel):
    """How far a way to decide may be from another one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    least_called: float = Field(
        default=0.5, ge=0.0, le=1.0, description="Least share called, as a multiple of what the other calls."
    )
    most_called: float = Field(
        default=2.0, ge=1.0, le=100.0, description="Largest share called, as a multiple of what the other calls."
    )
    most_blocked: float = Field(
        default=0.5, ge=0.0, le=1.0, description="Largest share of the would-be calls that the filter takes away."
    )
    most_changed: float = Field(
        default=0.15, ge=0.0, le=1.0, description="Largest share of all decisions that differ from the other's."
    )
    tolerance: float = Field(
        default=0.005,
        ge=0.0,
        le=1.0,
        description="Share of all decisions by which the called share may miss its bounds.",
    )
    least_rows: int = Field(default=100, ge=1, description="With fewer rows nothing is judged.")
    least_agents: int = Field(default=LEAST_AGENTS, ge=1, description="With rows of fewer agents nothing is judged.")


BOUNDS: Final = DecisionBounds()
"""The bounds in force."""


class DecisionEffect(BaseModel):
    """One way to decide beside another one on the same rows; shares of rows, intervals over agents."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    decides: str = Field(description="What decides.")
    against: str = Field(description="What it is held against.")
    n_rows: int = Field(ge=0)
    n_agents: int = Field(ge=0)
    called: Estimate = Field(description="Share that is called.")
    called_before: Estimate = Field(description="Share that the other calls.")
    more_called: Estimate = Field(description="The difference of both, agents paired.")
    blocked: Estimate = Field(
        description="Of what would be called without the outcome filter, the share that is not called with it."
    )
    changed: Estimate = Field(description="Share of decisions that are not the other's.")

    def told(self) -> str:
        """Say it in a sentence without its full stop."""
        return (
            f"{self.decides} calls {_percent(self.called)} of {self.n_rows:,} rows of {self.n_agents:,} agents, "
            f"{self.against} {_percent(self.called_before)}; {_percent(self.changed)} of the decisions differ and "
            f"{_percent(self.blocked)} of the would-be calls are blocked"
        )

    def numbers(self) -> dict[str, float]:
        """List what is judged; what is undefined is left out."""
        shares = {
            "called_share": self.called,
            "called_share_before": self.called_before,
            "blocked_share": self.blocked,
            "changed_share": self.changed,
        }
        return {name: one.value for name, one in shares.items() if one.value is not None}


def measure_effect(
    agents: Agents,
    *,
    decides: str,
    against: str,
    called: np.ndarray,
    called_before: np.ndarray,
    would_call: np.ndarray,
    resampling: Resampling,
) -> DecisionEffect:
    """Hold one way to decide against another one.

    Args:
        agents: Whose the rows are.
        decides: What decides.
        against: What it is held against.
        called: `(n_rows,)` bool, what is called.
        called_before: `(n_rows,)` bool, what the other calls.
        would_call: `(n_rows,)` bool, what would be called without the outcome filter.
        resampling: How agents are drawn again.

    Returns:
        The shares; undefined without rows.
    """
    now, before = mean(agents, called, bounded=True), mean(agents, called_before, bounded=True)
    statistics: dict[str, Statistic] = {
        "called": now,
        "called_before": before,
        "more_called": Difference(now, before),
        "blocked": ratio(agents, would_call & ~called, would_call, bounded=True),
        "changed": mean(agents, called != called_before, bounded=True),
    }
    return DecisionEffect(
        decides=decides,
        against=against,
        n_rows=len(called),
        n_agents=agents.n,
        **estimate_all(statistics, resampling),
    )


def too_few(effect: DecisionEffect, bounds: DecisionBounds = BOUNDS) -> str | None:
    """Tell whether there is too little to judge.

    Args:
        effect: What was measured.
        bounds: Say how much is enough.

    Returns:
        What is there and what is needed; None: it is enough.
    """
    if effect.n_rows >= bounds.least_rows and effect.n_agents >= bounds.least_agents:
        return None
    return (
        f"{effect.n_rows:,} rows of {effect.n_agents:,} agents are too few to say what {effect.decides} does to the "
        f"decision; {bounds.least_rows:,} rows of {bounds.least_agents:,} agents are needed"
    )


def out_of_bounds(effect: DecisionEffect, bounds: DecisionBounds = BOUNDS) -> tuple[str, ...]:
    """Find the bounds that are not kept; what is undefined (what is blocked where nothing would be called) keeps them.

    Args:
        effect: What was measured, on enough rows.
        bounds: The bounds.

    Returns:
        One phrase per bound with both numbers; empty when all are kept.
    """
    called, before = effect.called.value or 0.0, effect.called_before.value or 0.0
    blocked, changed = effect.blocked.value or 0.0, effect.changed.value or 0.0
    least = bounds.least_called * before - bounds.tolerance
    most = bounds.most_called * before + bounds.tolerance
    kept = {
        f"{called:.1%} are called, at least {max(least, 0.0):.1%} must be ({effect.against} calls {before:.1%})": (
            called >= least
        ),
        f"{called:.1%} are called, at most {most:.1%} may be ({effect.against} calls {before:.1%})": called <= most,
        f"{blocked:.1%} of the would-be calls are blocked, at most {bounds.most_blocked:.1%} may be": (
            blocked <= bounds.most_blocked
        ),
        f"{changed:.1%} of the decisions are not those of {effect.against}, at most {bounds.most_changed:.1%} may be "
        "others": changed <= bounds.most_changed,
    }
    return tuple(told for told, holds in kept.items() if not holds)


def _percent(share: Estimate) -> str:
    return "none" if share.value is None else f"{share.value:.1%}"
