"""From answers to what is logged about them, and which of it a log knows already."""

from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.scoring.answering.answers import Answers
from spots_ml.scoring.decision_log.fields import Origin
from spots_ml.scoring.decision_log.log import decision_table


def decisions_of(answers: Answers, *, origin: Origin, now: datetime) -> tuple[pa.Table, int]:
    """Put together what is logged about answers: of the rows that were scored, those that outcomes can be linked to.

    Args:
        answers: To one batch.
        origin: `served` or `replayed`.
        now: The present, with a time zone: when requests that say no moment were decided.

    Returns:
        Rows of schema `DECISIONS`, and how many scored rows are not among them because their agent or opportunity is
        unknown.
    """
    table = decision_table(
        answers.scored, answers.inputs, answers.scores, origin=origin, now=now, watermark=answers.watermark
    )
    identified = table.filter(pc.and_(pc.is_valid(table["agent_id"]), pc.is_valid(table["opportunity_id"])))
    return identified, table.num_rows - identified.num_rows


class KnownDecisions:
    """The ids of decisions that are logged, or on their way there.

    Args:
        ids: Of the decisions that are logged.

    >>> known = KnownDecisions(pa.chunked_array([["a"]]))
    >>> fresh = known.without(pa.table({"decision_id": ["a", "b", "b"], "score": [0.1, 0.2, 0.3]}))
    >>> fresh.to_pylist(), known.without(fresh).num_rows
    ([{'decision_id': 'b', 'score': 0.2}], 0)
    """

    def __init__(self, ids: pa.ChunkedArray) -> None:
        self._ids = set(ids.to_pylist())

    def without(self, decisions: pa.Table) -> pa.Table:
        """Keep the decisions that are not known; from now on they are.

        Args:
            decisions: Rows with `decision_id`.

        Returns:
            The unknown ones, in their order; of several with one id the first.
        """
        fresh = np.zeros(decisions.num_rows, dtype=bool)
        for row, one in enumerate(decisions["decision_id"].to_pylist()):
            if one not in self._ids:
                fresh[row] = True
                self._ids.add(one)
        return decisions.filter(pa.array(fresh))
