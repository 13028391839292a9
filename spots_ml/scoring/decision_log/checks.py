"""What a table of decisions must be like before any store logs it."""

from typing import NoReturn

import numpy as np
import pyarrow as pa

from spots_ml.errors import InputError
from spots_ml.scoring.decision_log.field_rules import Rule
from spots_ml.scoring.decision_log.fields import DECISIONS, FIELDS


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
    return table


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
