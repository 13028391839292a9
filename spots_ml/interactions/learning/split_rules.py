"""The rules of a split, and what it left in its parts; what the rules do is in `row_caps`."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from spots_ml.estimates.largest_share import MAX_AGENT_SHARE

MAX_ROWS_PER_PAIR: Final = 1
"""One row says what an agent makes of a place; others, which differ in context and timing, say it again."""
MIN_AGENTS: Final = 8
"""With fewer, intervals over agents hold the truth too seldom (`estimates.estimate.LEAST_AGENTS`)."""
MIN_EFFECTIVE_AGENTS: Final = 5.0


class SplitRules(BaseModel):
    """Caps in every part, and the least that each part needs."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    max_agent_share: float = Field(
        default=MAX_AGENT_SHARE,
        gt=0.0,
        le=1.0,
        description="Largest share of one agent in a part, in (0, 1]; twice an equal share where that is more.",
    )
    max_rows_per_pair: int = Field(
        default=MAX_ROWS_PER_PAIR, ge=1, description="Most rows of one agent about one opportunity."
    )
    min_agents: int = Field(default=MIN_AGENTS, ge=1, description="Fewest agents in a part.")
    min_effective_agents: float = Field(
        default=MIN_EFFECTIVE_AGENTS, ge=1.0, description="Fewest equal agents that a part must be worth."
    )


NO_CAPS: Final = SplitRules(max_agent_share=1.0, max_rows_per_pair=10**9, min_agents=1, min_effective_agents=1.0)
"""What models were split by that say nothing about it."""


class PartSize(BaseModel):
    """How much is in one part."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    n_rows: int = Field(ge=0, description="Rows.")
    n_agents: int = Field(ge=0, description="Agents among them.")
    effective_agents: float = Field(ge=0.0, description="As many equal agents would have as much to say.")
    largest_agent_share: float = Field(ge=0.0, le=1.0, description="Share of the agent with most rows, in [0, 1].")


class SplitSizes(BaseModel):
    """What a split left in each part, and the rules it obeyed."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rules: SplitRules
    n_purged: int = Field(ge=0, description="Rows on the wrong side of the boundary in time.")
    n_over_cap: int = Field(ge=0, description="Rows beyond what an agent, or an agent about one opportunity, may have.")
    parts: dict[str, PartSize] = Field(description="By name of the part.")
