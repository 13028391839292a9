"""The decision log: what was decided about each pair, on what grounds, and what came of it.

A decision is logged once and never changed. Its outcome is no part of it: it is linked when the log is read, by the
identity (agent, opportunity, moment), so that it does not matter which of the two arrives first and corrections are
seen. Its fields are in `fields`, what a table must be like to be logged is said here; where the log is kept is up to
`stores`.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NoReturn, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.digests import canonical_json, digest_bytes
from spots_ml.errors import ContractError, InputError
from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.models.declared import model_in
from spots_ml.models.spec import Role
from spots_ml.scoring.assignment import group_names
from spots_ml.scoring.decision import Scores
from spots_ml.scoring.decision_log.claims import SERVED
from spots_ml.scoring.decision_log.field_rules import Rule
from spots_ml.scoring.decision_log.fields import DECISIONS, FIELDS, TIME
from spots_ml.scoring.inputs import ScoringInputs

_ID_DIGITS: Final = 32
"""Hexadecimal digits of a decision's id: 128 bits, so that two decisions never share one by chance."""
_ID_BEGINS: Final = "served"
"""What every id is made of beside the decision: ids once told origins apart, and those of served ones stay."""


@dataclass(frozen=True)
class LogReport:
    """What logging did; the sum is the number of rows given.

    Attributes:
        n_new: Decisions the log did not know.
        n_known: Decisions that were logged before, or stood in the tables before. They stay as they were made.
        others: Ids of those known ones that would be made otherwise now, in the order in which they were given.
        claims: New decisions by their claim (see `claims`).
    """

    n_new: int
    n_known: int
    others: tuple[str, ...] = ()
    claims: Mapping[str, int] = field(default_factory=dict, compare=False)


class DecisionWriter(Protocol):
    """Keeps decisions, so that they can be measured and checked afterwards."""

    def log_decisions(self, decisions: Iterable[pa.Table], *, now: datetime) -> LogReport:
        """Add decisions (schema `DECISIONS`), each once, all of all tables or nothing.

        The tables are taken one after another, without holding anybody up; what they are made of may be made
        meanwhile. What is known stays as it was made. Of decisions of one agent, opportunity and moment one is
        served, the first; others are logged as replayed, with the claim `already_served`. InputError when
        `check_decisions` refuses a table.
        """
        ...


class DecisionReader(Protocol):
    """Gives decisions back with what came of them."""

    def read_decisions(self, since: datetime, until: datetime, *, columns: Collection[str] | None = None) -> pa.Table:
        """Give the decisions with since <= decided_at < until, by moment and id, with the outcomes known now.

        The rows have the schema `DECISIONS_WITH_OUTCOMES`, or those columns of it that are asked for.
        """
        ...

    def find_decisions(self, ids: Sequence[str]) -> pa.Table:
        """Give the decisions of these ids that are logged, in any order; their schema is `DECISIONS`."""
        ...


class DecisionLog(DecisionWriter, DecisionReader, Protocol):
    """Keeps decisions and gives them back."""


def decision_table(
    requests: pa.RecordBatch,
    inputs: ScoringInputs,
    scores: Scores,
    *,
    claims: pa.Array,
    now: datetime,
    watermark: str | None,
) -> pa.Table:
    """Put together what is logged about scored requests.

    Args:
        requests: `n` rows with the columns `agent_id`, `opportunity_id`, `scored_at` and the history features as they
            came with the request (null: not brought along).
        inputs: What these rows were scored on.
        scores: What came out.
        claims: `(n,)` strings, each a `claims.Claim`, as `claims.ClaimRule` judges; a replayed decision has no
            propensity.
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
    if not n_rows == inputs.n_rows == scores.n_rows == len(claims):
        raise ContractError(
            f"{n_rows} requests, {inputs.n_rows} inputs, {scores.n_rows} scores and {len(claims)} claims do not belong "
            "together; "
            "expected one of each for every row, from the same batch"
        )
    if now.tzinfo is None:
        raise ContractError(f"the time {now} has no zone; expected UTC")
    decided_at = requests["scored_at"].fill_null(pa.scalar(now, TIME))
    versions = [scores.of_arm(model_in(role).name, pa.string()) for role in (Role.NEURAL_SCORE, Role.OUTCOME_FILTER)]
    history = np.asarray(inputs.history, dtype=np.float32)
    replayed = pc.not_equal(claims, SERVED).to_numpy(zero_copy_only=False)
    columns: dict[str, Any] = {
        "decision_id": _ids(requests["agent_id"], requests["opportunity_id"], decided_at, versions),
        "origin": pa.array(np.where(replayed, "replayed", "served"), pa.string()),
        "claim": claims,
        "agent_id": requests["agent_id"],
        "opportunity_id": requests["opportunity_id"],
        "decided_at": decided_at,
        "group": group_names(scores.hybrid),
        "version": versions[0],
        "outcome_version": versions[1],
        "arm": scores.of_arm("id", pa.string()),
        "experiment": scores.of_arm("experiment", pa.string()),
        "stage": scores.of_arm("stage", pa.int64()),
        "share": scores.of_arm("share", pa.float64()),
        "formula_score": scores.formula.score,
        "neural_score": pa.array(scores.neural_score, mask=np.isnan(scores.neural_score)),
        "propensity": pa.array(scores.propensity, mask=replayed),
        "feature_digest": feature_digests(inputs.features, history),
        "watermark": _watermarks(requests, watermark),
        "fallback": pa.array(scores.fallback_texts(), pa.string()),
        "trend_boost": np.broadcast_to(np.asarray(inputs.trend_boost, dtype=np.float64), n_rows),
    }
    columns |= {name: np.ascontiguousarray(history[:, index]) for index, name in enumerate(HISTORY_FEATURES)}
    columns |= {
        name: getattr(scores, name)
        for name in ("weight", "outcome_probability", "score", "called", "blocked", "explored", "filter_on")
    }
    arrays = (columns[field.name] for field in DECISIONS)
    return pa.table([each if isinstance(each, pa.Array) else pa.array(each) for each in arrays], schema=DECISIONS)


def _ids(agents: pa.Array, opportunities: pa.Array, decided_at: pa.Array, versions: list[pa.Array]) -> pa.Array:
    moments = decided_at.cast(pa.int64()).to_pylist()
    asked = (version.to_pylist() for version in versions)
    rows = zip(agents.to_pylist(), opportunities.to_pylist(), moments, *asked, strict=True)
    return pa.array([digest_bytes(canonical_json([_ID_BEGINS, *row]))[:_ID_DIGITS] for row in rows], pa.string())


def feature_digests(features: np.ndarray, history: np.ndarray) -> pa.Array:
    """Digest what decisions were made on.

    Args:
        features: `(n_rows, 39)` floats in [0, 1].
        history: `(n_rows, 6)` floats in [0, 1].

    Returns:
        `(n_rows,)` SHA-256 of the 45 inputs as little-endian float32, as the log has it.
    """
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


def check_decisions(decisions: pa.Table) -> pa.Table:
    """Check that decisions can be logged.

    Args:
        decisions: Rows with at least the columns of `DECISIONS`, in any order.

    Returns:
        The rows in schema `DECISIONS`.

    Raises:
        InputError: When a column is missing or of another type, a value that must be known is not, or one is out of
            its range; the message names the first such row by its 0-based position.
    """
    missing = [name for name in DECISIONS.names if name not in decisions.column_names]
    if missing:
        raise InputError(
            f"a table of decisions lacks {', '.join(missing)}; make it with scoring.decision_log.decision_table"
        )
    try:
        columns = [decisions[field.name].cast(field.type) for field in DECISIONS]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(
            f"a table of decisions has a column of another type than the log's ({error}); "
            "make it with scoring.decision_log.decision_table"
        ) from error
    table = pa.table(columns, schema=DECISIONS)
    _check_known(table)
    for declared in FIELDS:
        if declared.rule is not None:
            _check(table, declared.name, declared.rule)
    _check_claims(table)
    return table


def _check_claims(table: pa.Table) -> None:
    served = pc.equal(table["origin"], "served")
    for name, agrees in (
        ("claim", pc.equal(pc.equal(table["claim"], SERVED), served)),
        ("propensity", pc.equal(pc.is_valid(table["propensity"]), served)),
    ):
        rows = np.flatnonzero(~agrees.fill_null(False).to_numpy())
        if len(rows):
            row = int(rows[0])
            _refuse(
                row,
                f"is {table['origin'][row]} with the {name} {table[name][row].as_py()!r}; expected the claim {SERVED} "
                "and a propensity of what was served, another claim and no propensity of what was replayed",
            )


def _check_known(table: pa.Table) -> None:
    for declared in FIELDS:
        column = table[declared.name]
        if not declared.known or column.null_count == 0:
            continue
        row = int(np.flatnonzero(column.is_null().to_numpy())[0])
        advice = (
            "a decision is linked to its outcome by agent, opportunity and moment: leave such rows out"
            if declared.links
            else "make the table with scoring.decision_log.decision_table"
        )
        _refuse(row, f"has no {declared.name} ({column.null_count:,} rows in all); {advice}")


def _check(table: pa.Table, name: str, rule: Rule) -> None:
    rows = np.flatnonzero(~rule.allows(table[name]).fill_null(True).to_numpy())
    if len(rows):
        row = int(rows[0])
        _refuse(row, f"has the {name} {table[name][row].as_py()!r}; {rule.expected}")


def _refuse(row: int, what: str) -> NoReturn:
    raise InputError(f"decision {row} of the table {what}. Nothing was logged")
