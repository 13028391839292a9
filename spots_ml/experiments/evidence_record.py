"""What is known at a look: the document that a rollout's decision follows. How it is computed is in `evidence`."""

from pydantic import Field

from spots_ml.estimates.estimate import Estimate
from spots_ml.experiments.rollout import RolloutChange
from spots_ml.registry.records import UtcTime
from spots_ml.release.documents import Digest, ReleaseDocument


class StageCounts(ReleaseDocument):
    """Who takes part in one stage."""

    stage: int = Field(ge=1)
    conditional_share: float = Field(gt=0.0, lt=1.0, description="Share of its fresh agents that is treated.")
    n_entered_treated: int = Field(ge=0, description="Fresh agents with a decision, whole units or not.")
    n_entered_control: int = Field(ge=0)
    n_units_treated: int = Field(ge=0, description="Whole units.")
    n_units_control: int = Field(ge=0)
    entered_by_day: tuple[int, ...] = Field(description="Fresh agents by days since the stage began, up to now.")


class EValue(ReleaseDocument):
    """Evidence against one hypothesis, in natural logarithms."""

    log_e: float = Field(description="Now; 0 without any unit.")
    peak: float = Field(description="Highest so far, over units in their order: this one counts.")
    needed: float = Field(description="From which on the hypothesis is rejected.")

    @property
    def rejects(self) -> bool:
        """Whether it is rejected."""
        return self.peak >= self.needed


class Guardrail(ReleaseDocument):
    """A number that may not become worse by more than a margin."""

    name: str
    margin: float
    treated: Estimate
    control: Estimate
    worse: EValue = Field(description="Against: it is worse by no more than the margin.")


class DayEffect(ReleaseDocument):
    """The effect on decisions that were made so many days after an agent's first one in its stage."""

    day: int = Field(ge=0)
    effect: Estimate


class Evidence(ReleaseDocument):
    """All that is known about a rollout at a look."""

    as_of: UtcTime = Field(description="Units that were whole by then, by the log as well, are in it.")
    stages: tuple[StageCounts, ...]
    benefit: EValue = Field(description="Against: the effect is 0 or less.")
    harm: EValue = Field(description="Against: the effect is 0 or more.")
    not_much_worse: EValue = Field(description="Against: it is worse by the declared margin or more.")
    effect: Estimate = Field(description="Value per decision, treated minus others; its interval holds at every look.")
    relative: Estimate = Field(description="The same as a share of the others' value; to be looked at.")
    spread: float | None = Field(
        ge=0.0, description="Standard deviation of what was not predicted of a unit's value; null without units."
    )
    guardrails: tuple[Guardrail, ...]
    sample_ratio: EValue = Field(description="Against: agents came as they were assigned.")
    otherwise_share: float = Field(ge=0.0, le=1.0, description="Decisions of units that were not made as assigned.")
    by_day: tuple[DayEffect, ...] = Field(description="By days since an agent's first decision; to be looked at.")


class NewLook(ReleaseDocument):
    """One look at a rollout: what was known, and what was decided."""

    evidence: Evidence
    n_units: int = Field(ge=0, description="Units of the rollout that are in it.")
    units_digest: Digest = Field(description="SHA-256 of these units, in their order.")
    change: RolloutChange | None = Field(description="What was decided; null: it goes on as it is.")
    told: str = Field(min_length=1, description="The decision in words, with when more will be known.")


class Look(NewLook):
    """A look as it is kept."""

    number: int = Field(ge=1, description="Order of the looks over all rollouts, given by the store.")
    rollout: int = Field(ge=1)
    at: UtcTime
    actor: str = Field(min_length=1)
