"""Intervals over agents: rows of one agent are alike, so agents are what is drawn again, never rows.

Shared by the daily performance and the formula's baseline. Numbers here are ratios of sums: a mean is the sum of the
values over the number of rows. What the sums are is the business of the callers.
"""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import ndtr, stdtrit

from spots_ml.errors import ConfigError
from spots_ml.training.evaluation import Estimate, kept

LEVEL: Final = 0.95
N_RESAMPLES: Final = 1_000
_CHUNK: Final = 1_000_000
"""Counts held in memory at once."""


def agent_codes(agent_ids: pa.ChunkedArray) -> tuple[np.ndarray, int]:
    """Number agents in the order of their names; an unknown agent is one of its own.

    Args:
        agent_ids: Texts, null where unknown.

    Returns:
        `(n_rows,)` int64 codes from 0, and the number of agents.

    >>> agent_codes(pa.chunked_array([["b", None, "a", "b"]]))
    (array([1, 2, 0, 1]), 3)
    """
    encoded = agent_ids.combine_chunks().dictionary_encode()
    rank = np.empty(len(encoded.dictionary), dtype=np.int64)
    rank[pc.sort_indices(encoded.dictionary).to_numpy()] = np.arange(len(rank))
    raw = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    nobody = raw < 0
    codes = np.empty(len(raw), dtype=np.int64)
    codes[~nobody] = rank[raw[~nobody]]
    codes[nobody] = len(rank) + np.arange(nobody.sum())
    return codes, len(rank) + int(nobody.sum())


def resampled_counts(n_agents: int, n_resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Draw agents with replacement, as many as there are.

    Args:
        n_agents: At least 1.
        n_resamples: At least 1.
        seed: The same seed gives the same draws.

    Yields:
        `(k, n_agents)` float64, how often each agent was drawn in each of the next k resamples, until all
        `n_resamples` were given; k is such that memory does not grow with the number of agents.

    Raises:
        ConfigError: When there is nothing to draw.
    """
    if n_agents < 1 or n_resamples < 1:
        raise ConfigError(f"{n_resamples} resamples of {n_agents} agents; expected at least one of each")
    generator = np.random.default_rng(seed)
    at_once = max(1, _CHUNK // n_agents)
    for start in range(0, n_resamples, at_once):
        k = min(at_once, n_resamples - start)
        drawn = generator.integers(0, n_agents, (k, n_agents)) + np.arange(0, k * n_agents, n_agents)[:, None]
        yield np.bincount(drawn.ravel(), minlength=k * n_agents).reshape(k, n_agents).astype(np.float64)


def estimate_ratios(
    parts: np.ndarray, wholes: np.ndarray, *, rates: np.ndarray, n_resamples: int = N_RESAMPLES, seed: int
) -> list[Estimate]:
    """Estimate ratios of sums over agents, each with a 95 % interval over agents.

    Args:
        parts: `(n_agents, n_ratios)` each agent's share of the numerator.
        wholes: `(n_agents, n_ratios)` each agent's share of the denominator, at least 0.
        rates: `(n_ratios,)` bool; True where the ratio is a share of rows, in [0, 1].
        n_resamples: How many times agents are drawn.
        seed: Of the drawing.

    Returns:
        One estimate per ratio. All null where the denominator is 0; no interval where fewer than two agents have a
        part in the denominator.

    Raises:
        ConfigError: When `n_resamples` is less than 1.
    """
    n_ratios = parts.shape[1]
    if not len(parts):
        return [Estimate(value=None, low=None, high=None)] * n_ratios
    values = _divide(parts.sum(axis=0), wholes.sum(axis=0))
    drawn = np.concatenate(
        [_divide(counts @ parts, counts @ wholes) for counts in resampled_counts(len(parts), n_resamples, seed)]
    )
    n_agents = (wholes > 0).sum(axis=0)
    return [
        estimate(float(values[i]), drawn[:, i], n_agents=int(n_agents[i]), rate=bool(rates[i])) for i in range(n_ratios)
    ]


def estimate(value: float, drawn: np.ndarray, *, n_agents: int, rate: bool) -> Estimate:
    """Make an estimate of a number and what it was in the resamples.

    The interval is the expanded percentile interval (Hesterberg 2015, "What Teachers Should Know About the Bootstrap",
    section 5.3): percentiles of the resamples, further out the fewer agents there are. A rate of exactly 0 or 1 is the
    same in every resample; its interval is the exact binomial one (Clopper and Pearson 1934) with agents as the trials,
    as if all rows of an agent were one.

    Args:
        value: On all rows; NaN where undefined.
        drawn: `(n_resamples,)` in the resamples; those where it is NaN are left out.
        n_agents: Agents that have rows to count.
        rate: Whether the number is a share of rows.

    Returns:
        The estimate, to eight digits; no interval with fewer than two agents.
    """
    if not math.isfinite(value):
        return Estimate(value=None, low=None, high=None)
    finite = drawn[np.isfinite(drawn)]
    if n_agents < 2 or not len(finite):
        return Estimate(value=kept(value), low=None, high=None)
    tail = (1.0 - LEVEL) / 2.0
    if rate and value in (0.0, 1.0):
        furthest = 1.0 - tail ** (1.0 / n_agents)
        low, high = (0.0, furthest) if value == 0.0 else (1.0 - furthest, 1.0)
    else:
        spread = math.sqrt(n_agents / (n_agents - 1)) * stdtrit(n_agents - 1, tail)
        expanded = float(ndtr(spread))
        low, high = np.quantile(finite, [expanded, 1.0 - expanded])
    return Estimate(value=kept(value), low=kept(min(low, value)), high=kept(max(high, value)))


def _divide(parts: np.ndarray, wholes: np.ndarray) -> np.ndarray:
    """Ratios, NaN where the whole is 0."""
    ratios: np.ndarray = np.divide(parts, wholes, out=np.full(np.shape(parts), np.nan), where=wholes > 0)
    return ratios
