"""What a table of decisions must be like before any store logs it."""

from collections.abc import Sequence
from typing import Final, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.errors import InputError
from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.scoring.decision_log.log import DECISIONS, ORIGINS
from spots_ml.scoring.groups import FORMULA_BASED, HYBRID

_IDENTITY: Final = ("agent_id", "opportunity_id", "decided_at")
_UNIT: Final = (
    "weight",
    "formula_score",
    "neural_score",
    "outcome_probability",
    "score",
    "propensity",
    *HISTORY_FEATURES,
)


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
    for name in ("agent_id", "opportunity_id"):
        _check(table, name, pc.equal(table[name], ""), "a decision is linked to its outcome by it: leave such rows out")
    for name in _UNIT:
        inside = pc.and_(pc.greater_equal(table[name], 0.0), pc.less_equal(table[name], 1.0))
        _check(table, name, pc.invert(inside), "expected a number in [0, 1]")
    _check_among(table, "origin", ORIGINS)
    _check_among(table, "group", (HYBRID, FORMULA_BASED))
    digests = pc.match_substring_regex(table["feature_digest"], "^[0-9a-f]{64}$")
    _check(table, "feature_digest", pc.invert(digests), "expected 64 lower-case hexadecimal digits")
    return table


def _check_known(table: pa.Table) -> None:
    for field in DECISIONS:
        column = table[field.name]
        if field.nullable or column.null_count == 0:
            continue
        row = int(np.flatnonzero(column.is_null().to_numpy())[0])
        advice = (
            "a decision is linked to its outcome by agent, opportunity and moment: leave such rows out"
            if field.name in _IDENTITY
            else "make the table with scoring.decision_log.decision_table"
        )
        _refuse(row, f"has no {field.name} ({column.null_count:,} rows in all); {advice}")


def _check_among(table: pa.Table, name: str, allowed: Sequence[str]) -> None:
    known = pc.is_in(table[name], pa.array(allowed))
    _check(table, name, pc.invert(known), f"expected {' or '.join(allowed)}")


def _check(table: pa.Table, name: str, wrong: pa.ChunkedArray, advice: str) -> None:
    rows = np.flatnonzero(wrong.fill_null(False).to_numpy())
    if len(rows):
        row = int(rows[0])
        _refuse(row, f"has the {name} {table[name][row].as_py()!r}; {advice}")


def _refuse(row: int, what: str) -> NoReturn:
    raise InputError(f"decision {row} of the table {what}. Nothing was logged")
