"""The SQL of logging and reading decisions in the embedded store, over the columns of the declared fields.

The six history features are one column. Beside the fields stand the identity, which links a decision to its outcome,
and the moment of logging. The table is in `schema`.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Final

import pyarrow as pa

from spots_ml.errors import ContractError
from spots_ml.scoring.decision_log.claims import ALREADY_SERVED
from spots_ml.scoring.decision_log.field_rules import Between, NotEmpty, OneOf
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

_NAMES: Final = ", ".join(COLUMNS)


def _differs(name: str, mark: str | None) -> str:
    differs = f"incoming.{name} IS NOT known.{name}"
    return differs if mark is None else f"(known.{mark} IS NOT NULL AND {differs})"


STAGE: Final = f"CREATE TEMP TABLE incoming (position INTEGER PRIMARY KEY, {_NAMES})"
"""Holds the decisions of one call, seen by nobody else."""

ADD: Final = f"INSERT INTO incoming VALUES (?, {', '.join('?' * len(COLUMNS))})"  # noqa: S608 - placeholders only
"""Takes the position in the call and `COLUMNS`."""

SORT: Final = "CREATE INDEX temp.incoming_by_identity ON incoming (identity) WHERE origin = 'served'"
"""Asked once all decisions of the call are there."""

SETTLE: Final = f"""
UPDATE incoming SET origin = 'replayed', claim = '{ALREADY_SERVED}', propensity = NULL
WHERE origin = 'served' AND (
    EXISTS (
        SELECT 1 FROM decisions AS known
        WHERE known.identity = incoming.identity AND known.origin = 'served'
            AND known.decision_id <> incoming.decision_id
    ) OR EXISTS (
        SELECT 1 FROM incoming AS earlier
        WHERE earlier.identity = incoming.identity AND earlier.origin = 'served'
            AND earlier.decision_id <> incoming.decision_id AND earlier.position < incoming.position
    )
)
"""  # noqa: S608 - a constant
"""Makes replays of decisions whose agent, opportunity and moment have a served one: in the log, or before them."""

REACHED: Final = "SELECT coalesce(max(rowid), 0) FROM decisions"
"""The number of the newest decision."""

CLAIMS: Final = "SELECT claim, count(*) FROM decisions WHERE rowid > ? GROUP BY claim"
"""Counts the decisions behind a number by their claim."""

INSERT: Final = f"""
INSERT INTO decisions (logged_at, {_NAMES})
SELECT ?, {_NAMES} FROM incoming WHERE true ORDER BY position
ON CONFLICT (decision_id) DO NOTHING
"""  # noqa: S608 - names of columns
"""Adds the decisions that are not known; takes the present."""

OTHERS: Final = f"""
SELECT incoming.decision_id
FROM incoming JOIN decisions AS known ON known.decision_id = incoming.decision_id
WHERE {" OR ".join(_differs(name, mark) for name, mark in CONTENT.items())}
GROUP BY incoming.decision_id
ORDER BY min(incoming.position)
"""  # noqa: S608 - names of columns
"""The ids of the call that are logged with other content, asked after `INSERT`."""

FIND: Final = f"""
SELECT {", ".join(f"known.{name}" for name in TOLD)}, NULL, NULL, NULL, NULL
FROM json_each(?) AS asked JOIN decisions AS known ON known.decision_id = asked.value
"""  # noqa: S608 - names of columns
"""The decisions of the ids in an array of JSON, laid out as `read_statement` lays out `TOLD` and outcomes."""

COUNT: Final = "SELECT count(*) FROM decisions WHERE decided_at >= :since AND decided_at < :until"
"""Decisions of a period in microseconds, from an index."""


def read_statement(names: Sequence[str]) -> str:
    """Write the SQL that reads decisions of a period; those that were served with their outcomes.

    Args:
        names: Columns, of `TOLD` and of outcomes.

    Returns:
        A statement; an identity is that of one interaction at most.
    """
    told = ", ".join(f"decisions.{name}" if name in TOLD else f"outcome.{name}" for name in names)
    return f"""
SELECT {told}
FROM decisions LEFT JOIN interactions AS outcome
    ON outcome.identity = decisions.identity AND decisions.origin = 'served'
WHERE decided_at >= :since AND decided_at < :until
ORDER BY decided_at, decision_id
"""  # noqa: S608 - names of columns


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
        case OneOf(texts):
            told = ", ".join(f"'{text}'" for text in texts)
            return f" CHECK ({field.sql_name} IN ({told}))"
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
