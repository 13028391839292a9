"""The decision log: what was decided about each pair, on what grounds, and what came of it.

A decision is logged once and never changed. Its outcome is no part of it: it is linked when the log is read, by the
identity (agent, opportunity, moment), so that it does not matter which of the two arrives first and corrections are
seen. What a table must look like to be logged is in `decision_checks`; where the log is kept is up to `stores`.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, Protocol, get_args

import numpy as np
import pyarrow as pa

from spots_ml.digests import canonical_json, digest_bytes
from spots_ml.errors import ContractError
from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.scoring.groups import group_names
from spots_ml.scoring.scorer import Scores, ScoringInputs

Origin = Literal["served", "replayed"]
"""`served`: decided at that moment; `replayed`: scored again afterwards, as of that moment."""
ORIGINS: Final[tuple[Origin, ...]] = get_args(Origin)

_TIME: Final = pa.timestamp("us", tz="UTC")
_ID_DIGITS: Final = 32
"""Hexadecimal digits of a decision's id: 128 bits, so that two decisions never share one by chance."""


def _known(name: str, type_: pa.DataType, doc: str) -> pa.Field:
    return pa.field(name, type_, nullable=False, metadata={"doc": doc})


DECISIONS: Final = pa.schema(
    [
        _known("decision_id", pa.string(), "digest of origin, agent, opportunity, moment and the two versions"),
        _known("origin", pa.string(), "served: decided at that moment; replayed: scored again afterwards"),
        _known("agent_id", pa.string(), "pseudonymous"),
        _known("opportunity_id", pa.string(), "what the agent was paired with"),
        _known("decided_at", _TIME, "when the pair was scored (UTC)"),
        _known("group", pa.string(), "the agent's group: hybrid or formulaBased"),
        pa.field("version", pa.string(), metadata={"doc": "calling-score version asked; null: there was none"}),
        pa.field("outcome_version", pa.string(), metadata={"doc": "outcome version asked; null: there was none"}),
        _known("weight", pa.float64(), "share of the neural score, as it took effect"),
        _known("formula_score", pa.float64(), "the formula's score in [0, 1]"),
        pa.field("neural_score", pa.float64(), metadata={"doc": "in [0, 1]; null: the model did not answer"}),
        _known("outcome_probability", pa.float64(), "P(positive) in [0, 1], by the model or the rule"),
        _known("score", pa.float64(), "the calling score in [0, 1]"),
        _known("called", pa.bool_(), "whether the agent was called"),
        _known("blocked", pa.bool_(), "whether the outcome filter said no"),
        _known("explored", pa.bool_(), "whether the decision was left to a coin"),
        pa.field("propensity", pa.float64(), metadata={"doc": "probability of the decision; null: replayed"}),
        _known("feature_digest", pa.string(), "SHA-256 of the 45 inputs as little-endian float32"),
        *(_known(name, pa.float32(), "as served, in [0, 1]") for name in HISTORY_FEATURES),
        pa.field(
            "watermark", pa.string(), metadata={"doc": "label watermark the history was served at; null: not served"}
        ),
        pa.field("fallback", pa.string(), metadata={"doc": "which model did not answer and why; null: both answered"}),
    ]
)
"""What was decided and on what grounds."""

DECISIONS_WITH_OUTCOMES: Final = pa.schema(
    [
        *DECISIONS,
        pa.field("outcome_type", pa.string(), metadata={"doc": "positive, neutral, negative; null: none arrived"}),
        pa.field("outcome_score", pa.float64(), metadata={"doc": "in [0, 1]; null: none arrived"}),
        pa.field("outcome_at", _TIME, metadata={"doc": "when the outcome arrived (UTC); null: none, or unknown"}),
    ]
)
"""Decisions and what came of them, as it is known when they are read."""


@dataclass(frozen=True)
class LogReport:
    """What logging did; the sum is the number of rows given.

    Attributes:
        n_new: Decisions the log did not know.
        n_known: Decisions that were logged before, or stood in the table before.
    """

    n_new: int
    n_known: int


class DecisionLog(Protocol):
    """What a store must keep so that decisions can be measured and checked afterwards."""

    def log_decisions(self, decisions: pa.Table, *, now: datetime) -> LogReport:
        """Add decisions (schema `DECISIONS`), each once, all or nothing.

        InputError when `decision_checks.check_decisions` refuses the table, or when a decision is logged already with
        other content.
        """
        ...

    def read_decisions(self, since: datetime, until: datetime) -> pa.Table:
        """Give the decisions with since <= decided_at < until, by moment and id, with the outcomes known now.

        The rows have the schema `DECISIONS_WITH_OUTCOMES`.
        """
        ...


def decision_table(
    requests: pa.RecordBatch,
    inputs: ScoringInputs,
    scores: Scores,
    *,
    origin: Origin,
    now: datetime,
    watermark: str | None,
) -> pa.Table:
    """Put together what is logged about scored requests.

    Args:
        requests: `n` rows with the columns `agent_id`, `opportunity_id`, `scored_at` and the history features as they
            came with the request (null: not brought along).
        inputs: What these rows were scored on.
        scores: What came out.
        origin: `served` or `replayed`; a replayed decision has no propensity.
        now: The present, with a time zone: when a request without `scored_at` was decided.
        watermark: Where the label arrival stood in the store the history was served from; None: not from a store.
            Rows that brought along any part of their history carry none.

    Returns:
        `n` rows of schema `DECISIONS`; agent and opportunity are null where the request had none (such rows cannot be
        logged).

    Raises:
        ContractError: When the three do not have the same number of rows, or `now` has no time zone.
    """
    n_rows = requests.num_rows
    if not n_rows == inputs.n_rows == scores.n_rows:
        raise ContractError(
            f"{n_rows} requests, {inputs.n_rows} inputs and {scores.n_rows} scores do not belong together; "
            "expected one of each for every row, from the same batch"
        )
    if now.tzinfo is None:
        raise ContractError(f"the time {now} has no zone; expected UTC")
    decided_at = requests["scored_at"].fill_null(pa.scalar(now, _TIME))
    versions = scores.version, scores.outcome_version
    history = np.asarray(inputs.history, dtype=np.float32)
    no_propensity = np.full(n_rows, origin == "replayed")
    columns: dict[str, Any] = {
        "decision_id": _ids(origin, requests["agent_id"], requests["opportunity_id"], decided_at, versions),
        "origin": pa.repeat(origin, n_rows),
        "agent_id": requests["agent_id"],
        "opportunity_id": requests["opportunity_id"],
        "decided_at": decided_at,
        "group": group_names(scores.hybrid),
        "version": pa.repeat(pa.scalar(scores.version, pa.string()), n_rows),
        "outcome_version": pa.repeat(pa.scalar(scores.outcome_version, pa.string()), n_rows),
        "formula_score": scores.formula.score,
        "neural_score": pa.array(scores.neural_score, mask=np.isnan(scores.neural_score)),
        "propensity": pa.array(scores.propensity, mask=no_propensity),
        "feature_digest": _feature_digests(inputs.features, history),
        "watermark": _watermarks(requests, watermark),
        "fallback": pa.array(scores.fallback_texts(), pa.string()),
    }
    columns |= {name: np.ascontiguousarray(history[:, index]) for index, name in enumerate(HISTORY_FEATURES)}
    columns |= {
        name: getattr(scores, name)
        for name in ("weight", "outcome_probability", "score", "called", "blocked", "explored")
    }
    arrays = (columns[field.name] for field in DECISIONS)
    return pa.table([each if isinstance(each, pa.Array) else pa.array(each) for each in arrays], schema=DECISIONS)


def _ids(
    origin: Origin, agents: pa.Array, opportunities: pa.Array, decided_at: pa.Array, versions: tuple[str | None, ...]
) -> pa.Array:
    moments = decided_at.cast(pa.int64()).to_pylist()
    rows = zip(agents.to_pylist(), opportunities.to_pylist(), moments, strict=True)
    return pa.array([digest_bytes(canonical_json([origin, *row, *versions]))[:_ID_DIGITS] for row in rows], pa.string())


def _feature_digests(features: np.ndarray, history: np.ndarray) -> pa.Array:
    inputs = np.concatenate([features, history], axis=1).astype("<f4")
    content, size = memoryview(inputs.tobytes()), inputs.shape[1] * inputs.itemsize
    return pa.array(
        [hashlib.sha256(content[start : start + size]).hexdigest() for start in range(0, len(content), size)],
        pa.string(),
    )


def _watermarks(requests: pa.RecordBatch, watermark: str | None) -> pa.Array:
    brought = np.zeros(requests.num_rows, dtype=bool)
    for name in HISTORY_FEATURES:
        brought |= requests[name].is_valid().to_numpy(zero_copy_only=False)
    return pa.array(np.full(requests.num_rows, watermark, dtype=object), pa.string(), mask=brought)
