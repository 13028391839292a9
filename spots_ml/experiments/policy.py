"""The rules of a rollout as data: its stages, what a decision is worth, how much evidence each step needs.

A rollout keeps the policy it began with; what the rules mean is in `ramp`, and why they are so in
`docs/decisions/rollouts.md`.
"""

from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spots_ml.scoring.challengers import MAX_STAGE

LEAST_MATURITY_HOURS: Final = 24.0
"""So long phones may take to report a decision: a unit is not whole before."""


class _Rules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class OutcomeValues(_Rules):
    """What a called decision is worth by its outcome, in [-1, 1]; one that was not called is worth 0."""

    positive: float = Field(default=1.0, ge=-1.0, le=1.0)
    neutral: float = Field(default=0.0, ge=-1.0, le=1.0)
    negative: float = Field(default=-1.0, ge=-1.0, le=1.0)
    none: float = Field(default=0.0, ge=-1.0, le=1.0, description="No outcome within the maturity.")

    @model_validator(mode="after")
    def _positive_is_better(self) -> Self:
        if self.positive <= self.negative:
            raise ValueError(
                f"a positive outcome is worth {self.positive:g} and a negative one {self.negative:g}; expected a "
                "positive one to be worth more"
            )
        return self


class GuardrailMargins(_Rules):
    """How much worse the treated may be than the others, in shares of decisions, before it is harm."""

    negative: float = Field(default=0.03, ge=0.0, le=1.0, description="Called with a negative outcome.")
    called: float = Field(default=0.15, ge=0.0, le=1.0, description="Called, either way.")
    fallback: float = Field(default=0.02, ge=0.0, le=1.0, description="A model did not answer.")
    slow: float = Field(default=0.02, ge=0.0, le=1.0, description="A model did not answer in time.")


class RolloutPolicy(_Rules):
    """How a version is rolled out."""

    shares: tuple[float, ...] = Field(
        default=(0.1, 0.5),
        min_length=1,
        max_length=MAX_STAGE,
        description="Of the hybrid group, by stage; after the last comes promotion.",
    )
    window_days: float = Field(default=7.0, gt=0.0, description="How long an agent's decisions make one unit.")
    maturity_hours: float = Field(default=48.0, ge=0.0, description="How long an outcome may take to count.")
    values: OutcomeValues = OutcomeValues()
    lifetime_level: float = Field(
        default=0.05, gt=0.0, lt=1.0, description="Share of promotions expected to be no better, over all rollouts."
    )
    harm_level: float = Field(default=0.05, gt=0.0, lt=1.0, description="Of rolling back what does no harm.")
    much_worse: float = Field(
        default=0.05, gt=0.0, le=1.0, description="Effect that must be ruled out before traffic is widened."
    )
    widen_level: float = Field(default=0.05, gt=0.0, lt=1.0, description="Of widening what is that much worse.")
    least_units: int = Field(default=50, ge=1, description="Units of each arm before traffic is widened or all of it.")
    guardrails: GuardrailMargins = GuardrailMargins()
    sample_ratio_level: float = Field(default=0.001, gt=0.0, lt=1.0, description="Of a false alarm on the shares.")
    grace_days: float = Field(default=3.0, ge=0.0, description="Frozen by an alarm for longer, it is rolled back.")
    most_otherwise: float = Field(
        default=0.1, ge=0.0, le=1.0, description="Share of decisions that were not made as assigned, before it holds."
    )
    futile_below: float = Field(default=0.05, ge=0.0, lt=1.0, description="Chance of promotion below which it ends.")
    longest_days: float = Field(default=60.0, gt=0.0, description="After that it ends.")
    most_fallbacks: float = Field(
        default=0.05,
        ge=0.0,
        le=1.0,
        description="Share of a version's decisions of the last day without its answer, beyond which it is taken back.",
    )
    trusted_weight: float = Field(default=0.3, ge=0.0, le=1.0, description="Where the weight of a version ends.")
    auto_start: bool = Field(default=True, description="Whether the next blessed version starts by itself.")
    when_busy: Literal["wait", "supersede"] = Field(
        default="wait", description="What a newer blessed version does while another one is rolled out."
    )

    @model_validator(mode="after")
    def _phones_have_reported(self) -> Self:
        if self.maturity_hours < LEAST_MATURITY_HOURS:
            raise ValueError(
                f"outcomes have {self.maturity_hours:g} hours to arrive, and phones {LEAST_MATURITY_HOURS:g} to report "
                "a decision; expected a maturity_hours that is not shorter"
            )
        return self

    @model_validator(mode="after")
    def _shares_grow(self) -> Self:
        grows = all(low < high for low, high in zip((0.0, *self.shares), self.shares, strict=False))
        if not grows or self.shares[-1] >= 1.0:
            raise ValueError(f"the shares {self.shares} do not grow between 0 and 1")
        return self
