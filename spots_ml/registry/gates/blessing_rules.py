"""What a blessing asks for, as one frozen configuration. Why: `docs/decisions/blessing.md`."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from spots_ml.estimates.agents import N_RESAMPLES
from spots_ml.estimates.estimate import LEAST_AGENTS
from spots_ml.training.slices import LEAST_SLICE_AGENTS


class BlessingRules(BaseModel):
    """How much worse than the champion and the formula a version may be, and how sure that must be."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    least_rows: int = Field(default=100, ge=1, description="With fewer rows nothing is judged.")
    least_agents: int = Field(
        default=LEAST_AGENTS,
        ge=2,
        description="With rows of fewer agents nothing is judged: there is no interval that holds.",
    )
    answer_margin: float = Field(
        default=0.05,
        ge=0.0,
        le=1.0,
        description="How much larger the error of the model's own answers may be, as a share of the other's: twice "
        "what chance does to two models of one recipe, and at the trusted weight a third of it ships.",
    )
    error_margin: float = Field(
        default=0.02,
        ge=0.0,
        le=1.0,
        description="How much larger the error of what ships may be, as a share of the other's.",
    )
    value_margin: float = Field(
        default=0.02,
        ge=0.0,
        le=2.0,
        description="How much less an opportunity may be worth to people, on the scale from -1 to 1: one call in fifty "
        "that goes from good to nothing.",
    )
    slice_answer_margin: float = Field(default=0.10, ge=0.0, le=1.0, description="The same on a slice.")
    slice_error_margin: float = Field(default=0.05, ge=0.0, le=1.0, description="The same on a slice.")
    slice_value_margin: float = Field(default=0.05, ge=0.0, le=2.0, description="The same on a slice.")
    least_slice_agents: float = Field(
        default=LEAST_SLICE_AGENTS, ge=2.0, description="Equal agents that a slice must be worth before it decides."
    )
    slice_level: float = Field(
        default=0.05,
        gt=0.0,
        lt=1.0,
        description="Probability that a version that is nowhere worse than a margin is refused for any slice (Holm).",
    )
    n_resamples: int = Field(
        default=N_RESAMPLES,
        ge=200,
        description="How many times agents are drawn for each interval; no recipe says, whose model is judged.",
    )


RULES: Final = BlessingRules()
"""The rules in force."""
