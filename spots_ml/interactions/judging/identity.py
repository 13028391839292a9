"""Which records are the same interaction, found over all rows with a few numbers per row in memory.

What makes them the same is said in `merging`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.interactions.columns import numbers, outcome_codes, times
from spots_ml.interactions.judging.merging import truncated


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


@dataclass(frozen=True)
class Fingerprints:
    """Records reduced to a few numbers each; different ones share a number with a chance of about 2^-64 a pair.

    Attributes:
        identities: `(n_rows, 2)` uint64; equal for records of the same interaction.
        contents: `(n_rows,)` uint64; equal, among those, for records that say the same.
    """

    identities: np.ndarray
    contents: np.ndarray


def fingerprints(batch: pa.RecordBatch, agent: np.ndarray, opportunity: np.ndarray) -> Fingerprints:
    """Reduce what makes an interaction itself to two numbers, and what is said of it to another.

    Args:
        batch: Rows of schema `INTERACTIONS`.
        agent: `(n_rows,)` int64 codes; -1 where unknown.
        opportunity: `(n_rows,)` int64 codes; -1 where unknown.

    Returns:
        The numbers of all rows. An identity is that of agent, opportunity and truncated moment; where one of them is
        unknown, that of all the record says.
    """
    scored_at = times(batch["scored_at"])
    keyed = (agent >= 0) & (opportunity >= 0) & ~np.isnat(scored_at)
    called = pc.cast(batch["is_called"], pa.int8()).fill_null(-1).to_numpy(zero_copy_only=False)
    said = [
        scored_at,
        # Adding 0.0 makes -0.0 and 0.0 the same.
        *(numbers(batch) + 0.0),
        outcome_codes(batch).astype(np.int64),
        times(batch["outcome_at"]),
        called.astype(np.int64),
    ]
    key = [agent, opportunity, truncated(scored_at)]
    multipliers = np.random.default_rng(0).integers(1 << 62, 1 << 63, (len(key) + len(said), 2), np.uint64)
    multipliers |= np.uint64(1)
    contents = _sums(said, multipliers[len(key) :])
    identities = _sums(key, multipliers) + np.where(keyed, np.uint64(0), contents)
    return Fingerprints(identities=_mixed(identities).T, contents=_mixed(contents[0]))


def firsts(identities: np.ndarray, eligible: np.ndarray) -> np.ndarray:
    """Find for each row the first row that is the same interaction.

    Args:
        identities: `(n_rows, 2)` uint64.
        eligible: `(n_rows,)` bool; only these rows take part, so that a broken record does not displace a
            good one.

    Returns:
        `(n_rows,)` int64 row numbers; its own number for the first of an interaction, and for a row that takes no
        part.

    >>> firsts(np.array([[1, 1], [1, 1], [2, 1], [1, 1]], np.uint64), np.array([False, True, True, True])).tolist()
    [0, 1, 2, 1]
    """
    rows = np.flatnonzero(eligible)
    order = rows[np.lexsort((identities[rows, 1], identities[rows, 0]))]
    is_first = np.append(True, (identities[order[1:]] != identities[order[:-1]]).any(axis=1))[: len(order)]
    found = np.arange(len(identities))
    found[order] = order[is_first][np.cumsum(is_first) - 1]
    return found


def _sums(columns: list[np.ndarray], multipliers: np.ndarray) -> np.ndarray:
    sums = np.zeros((2, len(columns[0])), np.uint64)
    for column, both in zip(columns, multipliers[: len(columns)], strict=True):
        sums += _mixed(column.view(np.uint64)) * both[:, None]
    return sums


def _mixed(values: np.ndarray) -> np.ndarray:
    """Spread every bit over all others (the finaliser of SplitMix64)."""
    mixed = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: np.ndarray = mixed ^ (mixed >> np.uint64(31))
    return result
