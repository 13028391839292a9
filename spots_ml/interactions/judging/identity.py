"""Which interactions are the same one, found over all rows with a few numbers per row in memory.

Two rows are the same interaction when agent, opportunity and time of scoring are known and equal; where one
of them is unknown, when everything they say is equal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.interactions.judging.rules import numbers, outcome_codes, times

_N_KEYS: Final = 3
"""Agent, opportunity, time of scoring."""


@dataclass
class Codes:
    """Numbers for texts, in order of appearance, over several batches.

    >>> codes = Codes()
    >>> codes.of(pa.array(["b", None, "a"])).tolist(), codes.of(pa.array(["a"])).tolist()
    ([0, -1, 1], [1])
    """

    known: dict[str, int] = field(default_factory=dict)

    def of(self, column: pa.Array) -> np.ndarray:
        """Number the texts of a column.

        Args:
            column: Texts, possibly null.

        Returns:
            `(n_rows,)` int64: the same number for the same text in every call; -1 where null.
        """
        encoded = column.dictionary_encode()
        numbers = np.array(
            [self.known.setdefault(text, len(self.known)) for text in encoded.dictionary.to_pylist()] or [-1],
            dtype=np.int64,
        )
        indices = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return np.where(indices < 0, -1, numbers[np.maximum(indices, 0)])


def coded(ids: pa.Array | pa.ChunkedArray | Sequence[str | None]) -> tuple[list[str], np.ndarray]:
    """Number the texts of one column.

    Args:
        ids: Texts, null or None where unknown.

    Returns:
        The different texts, and `(n_rows,)` int64 positions among them; -1 where unknown.

    >>> coded(["b", None, "a", "b"])
    (['b', 'a'], array([ 0, -1,  1,  0]))
    """
    column = ids if isinstance(ids, pa.Array | pa.ChunkedArray) else pa.array(ids, pa.string())
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    encoded = column.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return encoded.dictionary.to_pylist(), codes


def fingerprints(batch: pa.RecordBatch, agent: np.ndarray, opportunity: np.ndarray) -> np.ndarray:
    """Reduce what makes an interaction itself to two numbers.

    Args:
        batch: Rows of schema `INTERACTIONS`.
        agent: `(n_rows,)` int64 codes; -1 where unknown.
        opportunity: `(n_rows,)` int64 codes; -1 where unknown.

    Returns:
        `(n_rows, 2)` uint64; equal for the same interaction, different otherwise but for a chance of about
        2^-100 a pair.
    """
    scored_at = times(batch["scored_at"])
    keyed = (agent >= 0) & (opportunity >= 0) & ~np.isnat(scored_at)
    called = pc.cast(batch["is_called"], pa.int8()).fill_null(-1).to_numpy(zero_copy_only=False)
    said = [
        *numbers(batch),
        outcome_codes(batch).astype(np.int64),
        times(batch["outcome_at"]),
        called.astype(np.int64),
    ]
    columns = [agent, opportunity, scored_at, *said]
    multipliers = np.random.default_rng(0).integers(1 << 62, 1 << 63, (len(columns), 2), np.uint64) | np.uint64(1)
    sums = np.zeros((2, batch.num_rows), np.uint64)
    for number, column in enumerate(columns):
        mixed = _mixed(column.view(np.uint64))
        if number >= _N_KEYS:
            mixed[keyed] = 0
        sums += mixed * multipliers[number][:, None]
    return _mixed(sums).T


def repeats(prints: np.ndarray, eligible: np.ndarray) -> np.ndarray:
    """Find the rows that an earlier row already is.

    Args:
        prints: `(n_rows, 2)` uint64 fingerprints.
        eligible: `(n_rows,)` bool; only these rows take part, so that a broken record does not displace a
            good one.

    Returns:
        `(n_rows,)` bool: every eligible row but the first of the same interaction.

    >>> repeats(np.array([[1, 1], [1, 1], [1, 1]], np.uint64), np.array([False, True, True])).tolist()
    [False, False, True]
    """
    rows = np.flatnonzero(eligible)
    order = rows[np.lexsort((prints[rows, 1], prints[rows, 0]))]
    same = (prints[order[1:]] == prints[order[:-1]]).all(axis=1)
    repeated = np.zeros(len(prints), np.bool_)
    repeated[order[1:][same]] = True
    return repeated


def _mixed(values: np.ndarray) -> np.ndarray:
    """Spread every bit over all others (the finaliser of SplitMix64)."""
    mixed = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: np.ndarray = mixed ^ (mixed >> np.uint64(31))
    return result
