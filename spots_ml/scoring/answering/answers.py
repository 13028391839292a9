"""Answers score requests, batch by batch: judges them, serves history where they bring none, scores what may be scored.

Every request is answered: with scores, or with the reasons why it was refused; and what is logged about the answers is
put together here. How they are written down is in `score_table`, what they add up to in `score_tally`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.features.history import NO_HISTORY
from spots_ml.interactions.columns import times
from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.requests.judging import find_request_problems
from spots_ml.scoring.decision import Scores
from spots_ml.scoring.decision_log.fields import Origin
from spots_ml.scoring.decision_log.log import decision_table
from spots_ml.scoring.exploration import chances
from spots_ml.scoring.inputs import ScoringInputs, given_history, scoring_inputs
from spots_ml.scoring.scorer import Scorer
from spots_ml.scoring.served_history import HistoryServer


@dataclass(frozen=True)
class Answers:
    """What came of one batch of requests.

    Attributes:
        requests: `n` rows of schema `REQUESTS`, as they were read.
        masks: `(n,)` int64 of `rules.bit`; 0 where the row was scored.
        scored: The `k` rows that were scored.
        inputs: What these `k` rows were scored on.
        scores: What came out for them.
        watermark: The label watermark their history was served at; None: none of it was served.
    """

    requests: pa.RecordBatch
    masks: np.ndarray
    scored: pa.RecordBatch
    inputs: ScoringInputs
    scores: Scores
    watermark: str | None


def answer_requests(
    batches: Iterable[pa.RecordBatch],
    scorer: Scorer,
    *,
    now: datetime,
    history: HistoryServer | None = None,
    up_to: str | None = None,
    config: ValidationConfig | None = None,
) -> Iterator[Answers]:
    """Answer requests in their order, in the memory of one batch.

    Args:
        batches: Rows of schema `REQUESTS`.
        scorer: Scores.
        now: The present, with a time zone: the moment of requests that say none.
        history: Serves the history that requests do not bring along, as of the moment of each; None: `NO_HISTORY`.
        up_to: The label watermark the history is served at; None: the present one of each batch.
        config: The clock skew that is allowed for; None: the defaults.

    Yields:
        As many answers as batches.
    """
    for batch in batches:
        masks = find_request_problems(batch, now=now, config=config)
        scored = batch if not masks.any() else batch.filter(pa.array(masks == 0))
        moments = times(scored["scored_at"])
        moments = np.where(np.isnat(moments), _moment(now), moments)
        served, watermark = _serve(scored, moments, history, up_to)
        inputs = scoring_inputs(scored, served, scorer.assignment.assign(scored["agent_id"], moments))
        if scorer.exploration > 0.0:
            agents, opportunities = scored["agent_id"].to_pylist(), scored["opportunity_id"].to_pylist()
            inputs = replace(inputs, chance=chances(agents, opportunities, moments))
        yield Answers(batch, masks, scored, inputs, scorer.score(inputs), watermark)


def _moment(now: datetime) -> np.datetime64:
    return np.datetime64(round(now.timestamp() * 1e6), "us")


def _serve(
    batch: pa.RecordBatch, moments: np.ndarray, history: HistoryServer | None, up_to: str | None
) -> tuple[np.ndarray | None, str | None]:
    """Ask for the history of those rows that lack any of it."""
    asking = np.flatnonzero(np.isnan(given_history(batch)).any(axis=1))
    if history is None or len(asking) == 0:
        return None, None
    agents = batch["agent_id"].take(pa.array(asking)).to_pylist()
    found = history.serve_history(agents, moments[asking], up_to=up_to)
    served = np.tile(np.array(NO_HISTORY, np.float32), (batch.num_rows, 1))
    served[asking] = found.values
    return served, found.watermark


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
