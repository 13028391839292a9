"""Whether a version answers at all: the share of its decisions that something else had to make, against a budget.

The formula, or the outcome rule, stands in at once where a model does not answer, so that no outcome has to be waited
for: what is looked at is the last day. Agents are counted, not rows, and only what the interval is sure of: a few
phones that are out of order, or that say so, take nobody's version away, however often they ask.
"""

from datetime import timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.estimates.agents import N_RESAMPLES, Resampling
from spots_ml.estimates.estimate import Estimate
from spots_ml.estimates.statistic import estimate_all, ratio
from spots_ml.interactions.columns import agents_by_name
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.models.spec import Role
from spots_ml.scoring.fallback import FallbackReason

LOOKED_AT: Final = timedelta(hours=24)
"""How far back decisions are looked at."""
LEAST_AGENTS: Final = 20
"""Agents without whom nothing is concluded."""
VERSION_COLUMNS: Final = {Role.NEURAL_SCORE: "version", Role.OUTCOME_FILTER: "outcome_version"}
"""By role, the column of a decision that names the version that was asked."""
COLUMNS: Final = ("agent_id", *VERSION_COLUMNS.values(), "fallback")
"""What is read of a decision."""
_NOBODYS_FAULT: Final[FallbackReason] = "no_version"


def share_unanswered(decisions: pa.Table, model_type: ModelType, version: str, *, seed: int) -> Estimate | None:
    """Measure in what share of an agent's decisions that asked a version it did not answer.

    Args:
        decisions: Rows with `COLUMNS`, each of which counts.
        model_type: Which model.
        version: Its version.
        seed: Of the resampling.

    Returns:
        The mean of the agents' shares with its interval over agents; None when no decision asked that version.
    """
    column = VERSION_COLUMNS.get(model_spec(model_type).role)
    if column is None:
        return None
    asked = decisions.filter(pc.equal(decisions[column], version).fill_null(False))
    if not asked.num_rows:
        return None
    texts = asked["fallback"]
    silent = pc.and_(
        pc.match_substring(texts, f"{model_type}: "),
        pc.invert(pc.match_substring(texts, f"{model_type}: {_NOBODYS_FAULT}")),
    )
    silences = np.asarray(silent.fill_null(False).to_numpy(), np.float64)
    agents = agents_by_name(asked["agent_id"])
    # Each agent counts once, whatever the number of its decisions.
    part = 1.0 / np.bincount(agents.code, minlength=agents.n)[agents.code]
    found = ratio(agents, silences * part, part, bounded=True)
    return estimate_all({"share": found}, Resampling(seed, N_RESAMPLES))["share"]


def beyond_budget(share: Estimate | None, most: float) -> str | None:
    """Say that a version is silent too often.

    Args:
        share: What `share_unanswered` found.
        most: Largest share that is accepted, in [0, 1].

    Returns:
        One sentence with the numbers; None as long as it may be within the budget, which is so while there are fewer
        than `LEAST_AGENTS` agents.
    """
    if share is None or share.value is None or share.low is None or (share.n_agents or 0) < LEAST_AGENTS:
        return None
    if share.low <= most:
        return None
    return (
        f"it did not answer in {share.value:.1%} of its decisions, each agent counted alike (at least {share.low:.1%}; "
        f"{share.n_rows:,} of them, of {share.n_agents:,} agents), at most {most:.1%} may"
    )
