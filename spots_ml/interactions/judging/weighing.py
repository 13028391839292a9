"""Who weighs how much in what was read: shares in which no agent counts for more than a cap, and who has most.

A record without an agent counts as one of its own, also where its agent cannot be read: only a file can hold such
records, whoever writes for one agent cannot make them, and a file that is broken throughout must not pass for one
clumsy agent. In a database every row says whose it is.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from spots_ml.estimates.agents import effective_number
from spots_ml.estimates.caps import capped_share, row_cap
from spots_ml.estimates.largest_share import MAX_AGENT_SHARE

_N_HEAVIEST: Final = 5
_ROUNDING: Final = 1e-6


class AgentWeight(BaseModel):
    """One agent's part in what was read."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    agent: str = Field(description="The pseudonymous id.")
    n_rows: int = Field(ge=1, description="Records of the agent.")
    n_broken: int = Field(ge=0, description="Of these, broken ones.")
    n_labelled: int = Field(ge=0, description="Of these, accepted ones with an outcome.")
    row_share: float = Field(ge=0.0, le=1.0, description="Its share of all records, uncapped, in [0, 1].")


class Weighing(BaseModel):
    """Shares in which nobody weighs more than a cap."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    max_agent_share: float = Field(gt=0.0, le=1.0, description="The cap: largest share of one agent, in (0, 1].")
    n_agents: int = Field(ge=0, description="Agents; a record without one counts as one of its own.")
    effective_agents: float = Field(ge=0.0, description="As many equal agents would have as much to say.")
    broken_share: float = Field(ge=0.0, le=1.0, description="Broken records, no agent above the cap; 0 for none read.")
    label_coverage: float = Field(
        ge=0.0, le=1.0, description="Accepted records with an outcome, no agent above the cap; 0 for none accepted."
    )
    n_labelled: int = Field(ge=0, description="Labelled records that count: of no agent more than the cap allows.")
    heaviest: tuple[AgentWeight, ...] = Field(description="The agents with most records, first the first.")

    def sentence(self) -> str:
        """Say who weighs most.

        Returns:
            One line for a person.
        """
        agents = f"{self.n_agents:,} agents, as many as {self.effective_agents:,.1f} equal ones"
        if not self.heaviest:
            return agents
        first = self.heaviest[0]
        return (
            f"{agents}; most records are of {first.agent}: {first.n_rows:,} ({first.row_share:.1%}), "
            f"{first.n_broken:,} of them broken, {first.n_labelled:,} labelled"
        )


def weigh(
    agent: np.ndarray, names: Sequence[str], *, broken: np.ndarray, accepted: np.ndarray, labelled: np.ndarray
) -> Weighing:
    """Weigh the agents of some records.

    Args:
        agent: `(n_rows,)` int64, position among the names; -1 where a record says no agent.
        names: The agents' ids.
        broken: `(n_rows,)` bool, something is wrong with the record.
        accepted: `(n_rows,)` bool; a repetition is neither broken nor accepted.
        labelled: `(n_rows,)` bool, accepted and with an outcome.

    Returns:
        The shares. A record that is neither broken nor accepted counts among those read.
    """
    n_named = len(names)
    own = agent < 0
    code = np.where(own, n_named + np.cumsum(own) - 1, agent)
    n_codes = n_named + int(own.sum())

    def count(rows: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(code if rows is None else code[rows], minlength=n_codes)

    n_rows, n_broken, n_accepted, n_labelled = count(), count(broken), count(accepted), count(labelled)
    cap = row_cap(n_labelled, equal_shares=2.0)
    order = np.argsort(-n_rows[:n_named], kind="stable")[:_N_HEAVIEST]
    return Weighing(
        max_agent_share=MAX_AGENT_SHARE,
        n_agents=int(np.count_nonzero(n_rows)),
        effective_agents=round(effective_number(n_rows.astype(np.float64)), 3),
        broken_share=capped_share(n_broken, n_rows) or 0.0,
        label_coverage=capped_share(n_labelled, n_accepted) or 0.0,
        n_labelled=int(np.minimum(n_labelled, cap).sum() + _ROUNDING),
        heaviest=tuple(
            AgentWeight(
                agent=names[number],
                n_rows=int(n_rows[number]),
                n_broken=int(n_broken[number]),
                n_labelled=int(n_labelled[number]),
                row_share=round(float(n_rows[number] / len(code)), 6),
            )
            for number in order.tolist()
            if n_rows[number]
        ),
    )
