"""Outcomes that belong to no decision: they count in nobody's performance, and somebody has to see that.

A decision and its outcome are the same interaction: agent, opportunity and moment by the millisecond
(`judging.merging`). A client whose outcome tells another moment makes an interaction of its own, and the decision
expires. How an outcome finds its decision is the business of `stores`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.interactions.columns import times
from spots_ml.interactions.judging.merging import truncated
from spots_ml.interactions.keeping.interaction_store import EmptyStoreError, InteractionReader

NEAR: Final = timedelta(minutes=1)
"""How far from its moment a decision of the same pair is one that the outcome may have been meant for."""

_PAIR: Final = ["agent_id", "opportunity_id"]
_KEY: Final = [*_PAIR, "moment"]
_KEYED: Final = pa.schema([("agent_id", pa.string()), ("opportunity_id", pa.string()), ("moment", pa.int64())])


@dataclass(frozen=True)
class OutcomeLinking:
    """How many outcomes of a period found their decisions.

    Attributes:
        n_outcomes: Labelled interactions with agent, opportunity and moment.
        n_without_decision: Of these, those of which no decision is logged.
        n_near: Of those, the ones with a decision about the same pair less than `NEAR` away.
    """

    n_outcomes: int
    n_without_decision: int
    n_near: int

    def __str__(self) -> str:
        """Tell it in one sentence, with what to do."""
        if not self.n_without_decision:
            return f"each of {self.n_outcomes:,} outcomes belongs to a decision that was logged"
        told = (
            f"{self.n_without_decision:,} of {self.n_outcomes:,} outcomes belong to no decision that was logged and "
            "count in nobody's performance"
        )
        if not self.n_near:
            return told
        return (
            f"{told}; {self.n_near:,} of them are less than {NEAR // timedelta(seconds=1)} seconds away from a "
            "decision about the same pair: let the app send the moment it asked with, to the millisecond"
        )


def link_outcomes(
    served: pa.Table, reports: pa.Table, interactions: InteractionReader, *, since: datetime, until: datetime
) -> OutcomeLinking:
    """Count the outcomes of a period that belong to no decision.

    Args:
        served: Decisions of the period that were served, with `agent_id`, `opportunity_id` and `decided_at`.
        reports: What phones reported of it, whether or not it counts, schema `PHONE_DECISIONS`. An outcome that one of
            them found by its id is linked, whatever its moment.
        interactions: The store that keeps the outcomes.
        since: Start of the period, with a time zone; inclusive.
        until: Its end; exclusive.

    Returns:
        The counts; all 0 where nothing is kept.

    Raises:
        InputError: When the interactions cannot be read.
    """
    try:
        batches = interactions.read_interactions(since=since, until=until).batches
    except EmptyStoreError:
        return OutcomeLinking(0, 0, 0)
    decided = pa.concat_tables([_keyed(table, table["decided_at"]) for table in (served, reports)])
    by_id = reports.filter(pc.equal(reports["outcome_by"], "id"))
    labelled = [_keyed(by_id.slice(0, 0), by_id.slice(0, 0)["decided_at"], arrived=by_id.slice(0, 0)["outcome_at"])]
    for batch in batches:
        known = pc.and_(pc.is_valid(batch["outcome_type"]), pc.is_valid(batch["outcome_score"]))
        for name in (*_PAIR, "scored_at"):
            known = pc.and_(known, pc.is_valid(batch[name]))
        rows = pa.Table.from_batches([batch.select([*_PAIR, "scored_at", "outcome_at"])]).filter(known)
        labelled.append(_keyed(rows, rows["scored_at"], arrived=rows["outcome_at"]))
    outcomes = pa.concat_tables(labelled)
    found = _keyed(by_id, by_id["decided_at"], arrived=by_id["outcome_at"]).drop_columns("moment")
    unlinked = outcomes.join(decided, _KEY, join_type="left anti", use_threads=False)
    unlinked = unlinked.join(found, [*_PAIR, "arrived"], join_type="left anti", use_threads=False)
    return OutcomeLinking(outcomes.num_rows, unlinked.num_rows, _n_near(unlinked, decided))


def _keyed(rows: pa.Table, moments: pa.ChunkedArray, *, arrived: pa.ChunkedArray | None = None) -> pa.Table:
    """Put moments beside the pairs, in whole milliseconds, and when outcomes arrived, in columns of the same types."""
    in_ms = truncated(times(moments)).astype("datetime64[ms]").astype(np.int64)
    keyed = pa.table([rows["agent_id"], rows["opportunity_id"], pa.array(in_ms)], schema=_KEYED)
    return keyed if arrived is None else keyed.append_column("arrived", arrived.cast(pa.int64()))


def _n_near(unlinked: pa.Table, decided: pa.Table) -> int:
    numbered = unlinked.append_column("row", pa.array(np.arange(unlinked.num_rows)))
    both = numbered.join(decided, _PAIR, join_type="inner", right_suffix="_decided", use_threads=False)
    away = np.abs(both["moment"].to_numpy() - both["moment_decided"].to_numpy())
    return len(np.unique(both["row"].to_numpy()[away < NEAR // timedelta(milliseconds=1)]))
