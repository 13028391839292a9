"""Answers score requests, batch by batch: judges them, serves history where they bring none, scores what may be scored.

Every request is answered: with scores, or with the reasons why it was refused; and what is logged about the answers is
put together here. How they are written down is in `score_table`, what they add up to in `score_tally`, how answers and
log belong together in `logged_answers`.
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
from spots_ml.models.declared import model_in
from spots_ml.models.spec import Role
from spots_ml.requests.judging import find_request_problems
from spots_ml.scoring.arms import by_row
from spots_ml.scoring.decision import Scores
from spots_ml.scoring.decision_log.claims import SCORED_AGAIN, SERVED, ClaimRule
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
        moments: `(k,)` datetime64[us] in UTC, when these rows are decided: as they say, or now.
        claims: `(k,)` strings, what each may claim, see `decision_log.claims`.
    """

    requests: pa.RecordBatch
    masks: np.ndarray
    scored: pa.RecordBatch
    inputs: ScoringInputs
    scores: Scores
    watermark: str | None
    moments: np.ndarray
    claims: pa.Array


def answer_requests(
    batches: Iterable[pa.RecordBatch],
    scorer: Scorer,
    *,
    now: datetime,
    history: HistoryServer | None = None,
    up_to: str | None = None,
    config: ValidationConfig | None = None,
    rule: ClaimRule | None = None,
) -> Iterator[Answers]:
    """Answer requests in their order, in the memory of one batch.

    Args:
        batches: Rows of schema `REQUESTS`.
        scorer: Scores.
        now: The present, with a time zone: the moment of requests that say none.
        history: Serves the history that requests do not bring along, as of the moment of each; None: `NO_HISTORY`.
        up_to: The label watermark the history is served at; None: the present one of each batch.
        config: The clock skew that is allowed for; None: the defaults.
        rule: Judges what the answers may claim; only what may be served is left to a coin then. None: nothing is
            claimed.

    Yields:
        As many answers as batches.
    """
    for batch in batches:
        masks = find_request_problems(batch, now=now, config=config)
        scored = batch if not masks.any() else batch.filter(pa.array(masks == 0))
        moments = times(scored["scored_at"])
        moments = np.where(np.isnat(moments), _moment(now), moments)
        served, watermark = _serve(scored, moments, history, up_to)
        position = scorer.assignment.assign(scored["agent_id"], moments)
        inputs = scoring_inputs(scored, served, position)
        claims = _claims(rule, scorer, position, moments)
        if scorer.exploration > 0.0:
            agents, opportunities = scored["agent_id"].to_pylist(), scored["opportunity_id"].to_pylist()
            chance = chances(agents, opportunities, moments)
            if rule is not None:
                chance[pc.not_equal(claims, SERVED).to_numpy(zero_copy_only=False)] = np.nan
            inputs = replace(inputs, chance=chance)
        yield Answers(batch, masks, scored, inputs, scorer.score(inputs), watermark, moments, claims)


def _claims(rule: ClaimRule | None, scorer: Scorer, position: np.ndarray, moments: np.ndarray) -> pa.Array:
    if rule is None:
        return pa.repeat(pa.scalar(SCORED_AGAIN), len(moments))
    kinds = (model_in(role).name for role in (Role.NEURAL_SCORE, Role.OUTCOME_FILTER))
    return rule.judge(moments, {kind: by_row(scorer.assignment.arms, position, kind, pa.string()) for kind in kinds})


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


def decisions_of(answers: Answers, *, now: datetime) -> pa.Table:
    """Put together what is logged about answers.

    Args:
        answers: To one batch, judged by a rule of claims.
        now: The present, with a time zone: when requests that say no moment were decided.

    Returns:
        Rows of schema `DECISIONS`, one for each that was scored; agent and opportunity are null where a request had
        none: nothing can be linked to such a row, and it cannot be logged.
    """
    return decision_table(
        answers.scored, answers.inputs, answers.scores, claims=answers.claims, now=now, watermark=answers.watermark
    )
