"""Answers as a table: one row per request, in the order of the requests, scores null where a row was refused."""

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.interactions.judging.rules import codes
from spots_ml.models.declared import model_in
from spots_ml.models.spec import Role
from spots_ml.requests.request_schema import ANSWER_COLUMNS, REQUESTS
from spots_ml.scoring.answering.answers import Answers
from spots_ml.scoring.assignment import group_names
from spots_ml.scoring.decision_log.fields import TIME
from spots_ml.scoring.inputs import count_unknown

_ANSWERS: Final[dict[str, tuple[pa.DataType, str]]] = {
    "formula_score": (pa.float64(), "the formula's score in [0, 1]"),
    "neural_score": (pa.float64(), "in [0, 1]; null: the model did not answer"),
    "outcome_probability": (pa.float64(), "P(positive) in [0, 1], by the outcome model or the rule"),
    "score": (pa.float64(), "the calling score in [0, 1]"),
    "called": (pa.bool_(), "whether the agent is called"),
    "group": (pa.string(), "the agent's group: hybrid or formulaBased"),
    "version": (pa.string(), "calling-score version that was to answer; null: none"),
    "outcome_version": (pa.string(), "outcome version that was to answer; null: none"),
    "arm": (pa.string(), "what decided, such as 'formula', 'calling_score v1.0-synthetic' or 'rollout-7'"),
    "weight": (pa.float64(), "share of the neural score, as it took effect"),
    "blocked": (pa.bool_(), "whether the outcome filter said no"),
    "explored": (pa.bool_(), "whether the decision was left to a coin"),
    "propensity": (pa.float64(), "how probable the decision was, in (0, 1]"),
    "fallback": (pa.string(), "which model did not answer and why; null: both answered"),
    "decided_at": (TIME, "the moment under which it is logged, and an outcome is linked to it (UTC)"),
    "from_log": (pa.bool_(), "whether this is the decision log's answer of then: now it would be another one"),
    "n_unknown": (pa.int64(), "how many of the 34 raw features were unknown and fed as 0.5"),
    "refused": (pa.list_(pa.string()), "why the row was not scored; null: it was"),
}

SCORES: Final = pa.schema(
    [
        *(REQUESTS.field(name) for name in ("position", "agent_id", "opportunity_id")),
        *(pa.field(name, _ANSWERS[name][0], metadata={"doc": _ANSWERS[name][1]}) for name in ANSWER_COLUMNS),
    ]
)
"""Answers, one row per request."""

_ASKED: Final = [name for name in REQUESTS.names if name not in (*SCORES.names, "problems")]

SCORES_WITH_REQUESTS: Final = pa.schema([*SCORES, *(REQUESTS.field(name) for name in _ASKED)])
"""Answers beside what was asked, history and moment as they were used: such a file can be scored again."""


def score_table(answers: Answers, *, with_requests: bool = False) -> pa.RecordBatch:
    """Lay out the answers to one batch.

    Args:
        answers: To `n` requests.
        with_requests: Whether what was asked stands beside them.

    Returns:
        `n` rows of schema `SCORES` or `SCORES_WITH_REQUESTS`.
    """
    asked, kept = answers.requests, answers.masks == 0
    columns: dict[str, pa.Array] = {name: asked[name] for name in (*SCORES.names[:3], *_ASKED)}
    columns |= {name: _spread(values, kept) for name, values in _answered(answers).items()}
    columns["refused"] = pa.array([codes(mask) if mask else None for mask in answers.masks.tolist()], _type("refused"))
    if with_requests:
        history = {name: answers.inputs.history[:, index] for index, name in enumerate(HISTORY_FEATURES)}
        columns |= {name: _used(asked[name], values, kept) for name, values in history.items()}
        columns["scored_at"] = pc.coalesce(asked["scored_at"], columns["decided_at"])
    schema = SCORES_WITH_REQUESTS if with_requests else SCORES
    arrays = [columns[field.name].cast(field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _answered(answers: Answers) -> dict[str, pa.Array]:
    """The `k` answers of the rows that were scored, by column."""
    scores = answers.scores
    named: dict[str, Any] = {
        name: getattr(scores, name)
        for name in ("outcome_probability", "score", "called", "weight", "blocked", "explored", "propensity")
    }
    return {name: pa.array(values) for name, values in named.items()} | {
        "formula_score": pa.array(scores.formula.score),
        "neural_score": pa.array(scores.neural_score, from_pandas=True),
        "group": group_names(scores.hybrid),
        "version": scores.of_arm(model_in(Role.NEURAL_SCORE).name, pa.string()),
        "outcome_version": scores.of_arm(model_in(Role.OUTCOME_FILTER).name, pa.string()),
        "arm": scores.of_arm("id", pa.string()),
        "fallback": pa.array(scores.fallback_texts(), pa.string()),
        "decided_at": pa.array(answers.moments, TIME),
        "from_log": pa.repeat(pa.scalar(False), scores.n_rows),
        "n_unknown": pa.array(count_unknown(answers.scored)),
    }


def _spread(values: pa.Array, kept: np.ndarray) -> pa.Array:
    """Put the values of kept rows into their places; null elsewhere."""
    if kept.all():
        return values
    places = np.cumsum(kept) - 1
    return values.take(pa.array(places, mask=~kept))


def _used(asked: pa.Array, values: np.ndarray, kept: np.ndarray) -> pa.Array:
    """History as it was used: what a request brought stays as it came, to the last bit."""
    used = _spread(pa.array(np.ascontiguousarray(values, dtype=np.float64)), kept)
    return pc.coalesce(asked, used)


def _type(name: str) -> pa.DataType:
    return SCORES.field(name).type
