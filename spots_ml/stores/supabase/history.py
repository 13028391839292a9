"""Served history from Supabase: implements `scoring.served_history.HistoryServer`.

Only the rows of the asked agents are read. The app writes its rows as it likes; those that training refuses are no
part of anybody's history here either.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.interactions.columns import first_arrivals, floats, times
from spots_ml.interactions.judging.merging import coded
from spots_ml.interactions.judging.rules import ValidationConfig, find_problems
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.scoring.served_history import Past, ServedHistory, history_at
from spots_ml.stores.moments import check_moments
from spots_ml.stores.supabase.arrival import present
from spots_ml.stores.supabase.postgres.bulk_read import DirectReads
from spots_ml.stores.supabase.reading import read_agents
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.watermark import check_reached, parse

_END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)
"""What lies in the future of a moment is no part of the history before it: nothing has to be refused for that."""


class SupabaseHistoryServer:
    """History features from one Supabase project.

    Args:
        calls: The project.
        direct: Its Postgres, for bulk reads; None: they go over the API.
    """

    def __init__(self, calls: Calls, direct: DirectReads | None) -> None:
        self._calls = calls
        self._direct = direct

    def serve_history(
        self, agent_ids: Sequence[str | None], at: np.ndarray, *, up_to: str | None = None
    ) -> ServedHistory:
        """Compute the history of agents as it was known at given moments.

        Args:
            agent_ids: `(n_rows,)` ids, None where unknown; or an Arrow array of them.
            at: `(n_rows,)` datetime64 in UTC; NaT where unknown. Interactions of the same instant do not count.
            up_to: A watermark: outcomes and interactions that arrived later are not seen. None: the present one.

        Returns:
            The features, `NO_HISTORY` for agents that are unknown or of whom the project knows nothing before the
            moment, and the watermark.

        Raises:
            InputError: When ids and moments differ in number, the moments are no datetime64, `up_to` is no watermark
                that this project has reached, or rows are missing.
            CallError: When a call ends in no answer.
        """
        check_moments(agent_ids, at)
        asked = None if up_to is None else parse(up_to, "supabase")
        reached = present(self._calls)
        known = asked or reached
        check_reached(known, reached, f"the Supabase project at {self._calls.connection.host}")
        agents, codes = coded(agent_ids)
        past = _past(read_agents(self._calls, self._direct, known, agents), agents)
        return ServedHistory(values=history_at(past, codes, at), watermark=str(known))


def _past(batches: Iterable[pa.RecordBatch], agents: Sequence[str]) -> Past:
    codes = pa.array(agents, pa.string())
    nothing = pa.RecordBatch.from_pylist([], INTERACTIONS)
    columns = zip(*(_columns(batch, codes) for batch in chain([nothing], batches)), strict=True)
    return Past(*map(np.concatenate, columns))


def _columns(batch: pa.RecordBatch, agents: pa.Array) -> tuple[np.ndarray, ...]:
    """What `Past` holds of the rows that training takes."""
    masks = find_problems(batch, config=ValidationConfig(), now=_END_OF_TIME)
    taken = batch.filter(pa.array(masks == 0))
    return (
        pc.index_in(taken["agent_id"], agents).to_numpy(zero_copy_only=False).astype(np.int64),
        times(taken["scored_at"]),
        first_arrivals(taken),
        floats(taken["outcome_score"]),
        taken["outcome_type"].fill_null("").to_numpy(zero_copy_only=False).astype(str),
    )
