"""A small randomised slice of decisions, and how probable each decision was.

Later estimates of what another policy would have achieved (off-policy evaluation) need decisions that could have gone
either way, and the probability with which they went as they did. Chance is drawn from a hash of agent, opportunity and
moment: the same decision asked twice gets the same answer, in any order and on any machine, and two decisions have
nothing to do with each other. Where the hash cannot tell decisions apart, because an agent or an opportunity is
unknown, nothing is left to chance: one coin would decide for all of them, and no propensity would be true.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np

from spots_ml.interactions.judging.merging import truncated

MAX_EXPLORATION: Final = 0.2
"""Largest share of decisions that may be left to chance."""
EXPLORED_FROM: Final = 0.5
"""Least hybrid score of a decision that may be left to chance: nobody is called where nothing speaks for it."""

_SALT: Final = "spots_ml exploration 1"


def chances(
    agent_ids: Sequence[str | None], opportunity_ids: Sequence[str | None], decided_at: np.ndarray, *, salt: str = _SALT
) -> np.ndarray:
    """Draw what decides about exploration.

    Args:
        agent_ids: `(n_rows,)`; None where unknown.
        opportunity_ids: `(n_rows,)`; None where unknown.
        decided_at: `(n_rows,)` datetime64 in UTC; the millisecond counts, as in an interaction's identity.
        salt: Another salt, another draw.

    Returns:
        `(n_rows, 2)` float64, uniform in [0, 1): whether a decision is explored, and what then happens; NaN where agent
        or opportunity is unknown.
    """
    moments = truncated(np.asarray(decided_at, dtype="datetime64[us]")).view(np.int64).tolist()
    digests = b"".join(
        hashlib.sha256(repr((salt, *key)).encode("utf-8", "surrogatepass")).digest()[:16]
        for key in zip(agent_ids, opportunity_ids, moments, strict=True)
    )
    draws: np.ndarray = np.frombuffer(digests, dtype=">u8").reshape(-1, 2)
    drawn = (draws >> np.uint64(11)).astype(np.float64) * 2.0**-53
    drawn[[None in pair for pair in zip(agent_ids, opportunity_ids, strict=True)]] = np.nan
    return drawn


def explore(
    called: np.ndarray, blocked: np.ndarray, hybrid_score: np.ndarray, chance: np.ndarray, *, share: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Leave a share of the decisions to a fair coin.

    Args:
        called: `(n_rows,)` bool, what the policy says.
        blocked: `(n_rows,)` bool, what the outcome filter said no to: there the policy's word stands.
        hybrid_score: `(n_rows,)` in [0, 1]; below `EXPLORED_FROM` the policy's word stands.
        chance: `(n_rows, 2)` as `chances` draws it; where it is NaN, the policy's word stands.
        share: Of the eligible decisions, in [0, `MAX_EXPLORATION`].

    Returns:
        `(n_rows,)` bool whether called in the end, `(n_rows,)` bool whether left to the coin, and `(n_rows,)` float64
        the propensity: how probable what was decided was, given the features; 1 where nothing was left to chance.
    """
    eligible = (hybrid_score >= EXPLORED_FROM) & ~blocked & ~np.isnan(chance[:, 0])
    explored = eligible & (chance[:, 0] < share)
    decided = np.where(explored, chance[:, 1] < 0.5, called)
    propensity = np.where(eligible, np.where(decided == called, 1.0 - share / 2.0, share / 2.0), 1.0)
    return decided, explored, propensity
