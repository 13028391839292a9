"""The app's own split of agents into two groups, reproducible bit by bit on every platform.

The first byte of SHA-256 of the agent's id (UTF-8) decides: below 128 the agent is in the group `hybrid`, else in
`formulaBased`. An agent stays in its group for ever.
"""

import hashlib
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import pyarrow as pa

from spots_ml.interactions.judging.identity import coded

Group = Literal["hybrid", "formulaBased"]
HYBRID: Final[Group] = "hybrid"
FORMULA_BASED: Final[Group] = "formulaBased"

HYBRID_BELOW: Final = 128
"""First byte of the digest below which an agent is in the group `hybrid`."""


def group_of(agent_id: str) -> Group:
    """Tell an agent's group.

    Args:
        agent_id: The pseudonymous id.

    Returns:
        `hybrid` or `formulaBased`.

    >>> group_of("agent-1"), group_of("agent-2")
    ('hybrid', 'formulaBased')
    """
    return HYBRID if _is_hybrid(agent_id) else FORMULA_BASED


def hybrid_mask(agent_ids: pa.Array | pa.ChunkedArray | Sequence[str | None]) -> np.ndarray:
    """Tell the groups of many rows; each agent is hashed once.

    Args:
        agent_ids: `(n_rows,)` ids; null or None where the agent is unknown.

    Returns:
        `(n_rows,)` bool: whether the agent is in the group `hybrid`. An unknown agent is not: nothing says so.
    """
    agents, codes = coded(agent_ids)
    # The last place is for the unknown agent, whose code is -1.
    of_agent = np.array([*map(_is_hybrid, agents), False], dtype=bool)
    groups: np.ndarray = of_agent[codes]
    return groups


def group_names(hybrid: np.ndarray) -> pa.Array:
    """Name the groups of many rows.

    Args:
        hybrid: `(n_rows,)` bool.

    Returns:
        `(n_rows,)` strings.
    """
    return pa.array(np.where(hybrid, HYBRID, FORMULA_BASED), pa.string())


def _is_hybrid(agent_id: str) -> bool:
    return hashlib.sha256(agent_id.encode("utf-8")).digest()[0] < HYBRID_BELOW
