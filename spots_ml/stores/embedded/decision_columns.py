"""Which columns the decisions have in SQLite: those of the declared fields, with the six history features as one value.

Beside them stand the identity, which links a decision to its outcome, and the moment of logging.
"""

from itertools import groupby
from typing import Final

import pyarrow as pa

from spots_ml.errors import ContractError
from spots_ml.scoring.decision_log.field_rules import Between, NotEmpty
from spots_ml.scoring.decision_log.fields import FIELDS, LAYOUT_MARKS, DecisionField

HISTORY: Final = "history"
IDENTITY: Final = "identity"

TOLD: Final = tuple(
    HISTORY if packing == "history" else field.sql_name
    for packing, fields in groupby(FIELDS, lambda field: field.packing)
    for field in (list(fields)[:1] if packing == "history" else fields)
)
"""What is read of a decision: its identity only links it to its outcome."""

COLUMNS: Final = (*TOLD, IDENTITY)
"""What is kept of a decision, in the order of the statements."""

_ASIDE: Final = ("decision_id", *(field.sql_name for field in FIELDS if not field.content))

_MARKS: Final = {field.sql_name: LAYOUT_MARKS[field.since].sql_name for field in FIELDS if field.since in LAYOUT_MARKS}

CONTENT: Final = {name: _MARKS.get(name) for name in COLUMNS if name not in _ASIDE}
"""What makes two decisions of one id the same -> the column without which the logged one does not say it, if any."""


def added_columns(since: int) -> str:
    """Write the SQL that adds the columns of a layout to the table of the one before.

    Args:
        since: The layout.

    Returns:
        Statements.
    """
    fields = [field for field in FIELDS if field.since == since]
    return "\n".join(
        f"ALTER TABLE decisions ADD COLUMN {field.sql_name} {sqlite_type(field)}{_check(field)};" for field in fields
    )


def _check(field: DecisionField) -> str:
    match field.rule:
        case None:
            return ""
        case Between(low, high):
            return f" CHECK ({field.sql_name} BETWEEN {low:g} AND {high:g})"
        case NotEmpty():
            return f" CHECK ({field.sql_name} <> '')"
    raise ContractError(f"the rule of the field {field.name} of decisions is {field.rule}; it has no SQL here yet")


def sqlite_type(field: DecisionField) -> str:
    """Tell how SQLite calls a field's type.

    Args:
        field: A field of a decision.

    Returns:
        `TEXT`, `INTEGER`, `REAL` or `BLOB`.

    Raises:
        ContractError: When there is no place for such a type.
    """
    if field.packing != "plain":
        return "BLOB"
    if pa.types.is_string(field.type):
        return "TEXT"
    if pa.types.is_floating(field.type):
        return "REAL"
    if pa.types.is_boolean(field.type) or pa.types.is_integer(field.type) or pa.types.is_timestamp(field.type):
        return "INTEGER"
    raise ContractError(
        f"the field {field.name} of decisions is of the type {field.type}; expected text, number, truth value or time"
    )
