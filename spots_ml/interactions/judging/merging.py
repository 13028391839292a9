"""One identity and one merge: which records are the same interaction, and what they say together.

This module is the rule. Validation uses it over whole sources, the embedded store over what it takes in; the SQL of
Supabase says it again (`private.merged_interaction`) and is tested against this row by row.

**Identity.** Two records are the same interaction when agent, opportunity and moment are known and equal. Ids are what
they are: no case, space or form of a letter is changed. The moment is UTC, truncated to the millisecond
(`truncated`), which is as exact as every client can tell it. A record in which one of the three is unknown is never
merged with another; only the exact repetition of all it says is the same record (`identity.fingerprints`).

**Merge.** What is known is not forgotten, and null is "not said":

- Features, the formula's score and whether the agent was called are facts of the moment. A known value stands against
  null. Of two that contradict each other neither has a time by which it could be the later one: 0.5 yields, because the
  app says 0.5 where it does not know; of two others the smaller stands; "not called" stands against "called".
- An outcome (type, score, time) is taken as a whole. Any outcome stands against none: an unlabelled record and its
  labelled twin are one labelled interaction. Of two outcomes the later one stands by its own time; a known time stands
  against an unknown one; at the same time, and where both are unknown, the lower score, then the less good type. So a
  correction must bring its own, later time. When the first of them arrived (`first_outcome_at`) is the earliest known
  time of all outcomes that were told, whichever stands; null where that is the time of the outcome that stands.
- The moment told most exactly stands: the latest within the millisecond.

Nothing here asks which record came first: merging is commutative, associative and idempotent, and any order and any
grouping of the same records gives the same interaction. Two acceptable records give an acceptable one.

What becomes of the records that were merged away is the business of those who merge: validation keeps them in the
quarantine (`duplicate`), an import counts them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.features.contract import RAW_FEATURES, UNKNOWN_VALUE
from spots_ml.interactions.columns import first_arrivals, floats, numbers, outcome_codes, times
from spots_ml.interactions.schema import INTERACTIONS

MOMENT_US: Final = 1000
"""Microseconds that moments of one interaction have in common: a millisecond."""

MOMENT_NUMBERS: Final = (*RAW_FEATURES, "formula_score")
"""The numbers that are facts of the moment."""

_NOT_SAID: Final = np.inf
_YIELDS: Final = 2.0
"""Where `UNKNOWN_VALUE` stands among the values in [0, 1]: behind all others."""


def truncated(moments: np.ndarray) -> np.ndarray:
    """Truncate moments as their identity does.

    Args:
        moments: `(n_rows,)` datetime64[us] in UTC; NaT where unknown.

    Returns:
        `(n_rows,)` datetime64[us], whole milliseconds, never later; NaT where unknown.

    >>> truncated(np.array(["2026-11-21T10:00:00.123999", "1969-12-31T23:59:59.999999", "NaT"], "M8[us]")).tolist()[:2]
    [datetime.datetime(2026, 11, 21, 10, 0, 0, 123000), datetime.datetime(1969, 12, 31, 23, 59, 59, 999000)]
    """
    return moments.astype("datetime64[ms]").astype("datetime64[us]")


def merged(records: pa.RecordBatch, interaction: np.ndarray) -> pa.RecordBatch:
    """Merge records into interactions.

    Args:
        records: `n_rows` acceptable rows of schema `INTERACTIONS`, in any order.
        interaction: `(n_rows,)` integers; equal for records of the same interaction.

    Returns:
        One row of schema `INTERACTIONS` per interaction, by ascending number, each with the position, agent and
        opportunity of its first record. No rows for no records.
    """
    if records.num_rows == 0:
        return records
    order = np.argsort(interaction, kind="stable")
    records, interaction = records.take(pa.array(order)), interaction[order]
    starts = np.flatnonzero(np.append(True, interaction[1:] != interaction[:-1]))
    latest = _latest_outcomes(records, interaction, starts)
    outcomes = pa.array(latest)
    said = {name: records[name].take(pa.array(starts)) for name in ("position", "agent_id", "opportunity_id")}
    said["scored_at"] = _most_exact(records["scored_at"], starts)
    said |= {name: _surer(records[name], starts) for name in MOMENT_NUMBERS}
    said["is_called"] = _not_called_first(records["is_called"], starts)
    said |= {name: records[name].take(outcomes) for name in ("outcome_type", "outcome_score", "outcome_at")}
    said["first_outcome_at"] = _first_arrival(records, starts, latest)
    nothing = {name: pa.nulls(len(starts), INTERACTIONS.field(name).type) for name in ("record", "problems")}
    said |= nothing
    return pa.RecordBatch.from_arrays([said[name] for name in INTERACTIONS.names], schema=INTERACTIONS)


def _most_exact(column: pa.Array, starts: np.ndarray) -> pa.Array:
    # NaT is below every time.
    latest = np.maximum.reduceat(times(column).view(np.int64), starts).view("datetime64[us]")
    return pa.array(latest, pa.timestamp("us")).cast(column.type)


def _first_arrival(records: pa.RecordBatch, starts: np.ndarray, latest: np.ndarray) -> pa.Array:
    """Find when the first outcome of each interaction arrived, where it is not the one that stands."""
    stands, arrived = times(records["outcome_at"]), first_arrivals(records)
    # As an integer NaT is below every time; here it is to be above.
    unknown = np.iinfo(np.int64).max
    earliest = np.minimum.reduceat(np.where(np.isnat(arrived), unknown, arrived.view(np.int64)), starts)
    is_first = (earliest == unknown) | (earliest == stands[latest].view(np.int64))
    return pa.array(earliest, pa.timestamp("us"), mask=is_first).cast(records["outcome_at"].type)


def _surer(column: pa.Array, starts: np.ndarray) -> pa.Array:
    values = floats(column)
    ranks = np.where(np.isnan(values), _NOT_SAID, np.where(values == UNKNOWN_VALUE, _YIELDS, values))
    least = np.minimum.reduceat(ranks, starts)
    surest = np.where(least == _YIELDS, UNKNOWN_VALUE, np.where(least == _NOT_SAID, np.nan, least))
    return pa.array(surest, column.type, from_pandas=True)


def _not_called_first(column: pa.Array, starts: np.ndarray) -> pa.Array:
    not_said = 2
    least = np.minimum.reduceat(column.cast(pa.int8()).fill_null(not_said).to_numpy(zero_copy_only=False), starts)
    return pa.array(least == 1, pa.bool_(), mask=least == not_said)


def _latest_outcomes(records: pa.RecordBatch, interaction: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Find the record of each interaction whose outcome stands; `OUTCOME_TYPES` begin with the best one."""
    kinds, scores = outcome_codes(records), floats(records["outcome_score"])
    # NaT is below every time.
    order = np.lexsort((kinds, -scores, times(records["outcome_at"]).view(np.int64), kinds >= 0, interaction))
    ends = np.append(starts[1:], len(interaction)) - 1
    latest: np.ndarray = order[ends]
    return latest


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
        times(batch["first_outcome_at"]),
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
