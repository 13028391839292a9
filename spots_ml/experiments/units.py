"""Units of a rollout: what one agent's decisions in one stage came to.

A unit is all that a fresh agent of the hybrid group was told in the window from its first decision in the stage, once
window and maturity are over. It is written once, in the order in which units become whole, and never changed.
"""

import hashlib
from typing import Final

import numpy as np
import pyarrow as pa

from spots_ml.digests import canonical_json
from spots_ml.scoring.decision_log.fields import TIME


def _column(name: str, type_: pa.DataType, doc: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, type_, nullable=nullable, metadata={"doc": doc})


NEW_UNITS: Final = pa.schema(
    [
        _column("stage", pa.int16(), "number of the stage, from 1"),
        _column("agent_id", pa.string(), "one unit per agent and stage"),
        _column("place", pa.float64(), "place of the agent by the rollout's salt, in [the share before, 1)"),
        _column("treated", pa.bool_(), "whether its place is below the stage's share"),
        _column("entered_at", TIME, "its first decision in the stage"),
        _column("matured_at", TIME, "when window and maturity were over; units are in this order, then by place"),
        _column("n_decisions", pa.int32(), "in the window, at least 1"),
        _column("n_phone", pa.int32(), "of these, decided by a phone"),
        _column("n_otherwise", pa.int32(), "of these, not decided by what the agent was assigned to"),
        _column("value", pa.float64(), "mean of called x value of the outcome, in [-1, 1]"),
        _column(
            "daily_values",
            pa.list_(pa.field("item", pa.float64(), nullable=True)),
            "the same by days since entered_at, from day 0 to the window's last; null: no decision on that day",
        ),
        _column("called", pa.float64(), "share of its decisions that were called"),
        _column("negative", pa.float64(), "share that was called and came out negative"),
        _column("fallback", pa.float64(), "share in which a model did not answer"),
        _column("slow", pa.float64(), "share in which a model did not answer in time"),
        _column("n_earlier", pa.int32(), "the agent's matured decisions before it entered the stage"),
        _column("earlier_value", pa.float64(), "their mean value; null: none", nullable=True),
        _column("first_formula_score", pa.float64(), "the formula's score of its first decision", nullable=True),
    ]
)
"""Units as they are found."""

UNITS: Final = pa.schema(
    [_column("number", pa.int64(), "order within the rollout, from 1, given by the store"), *NEW_UNITS]
)
"""Units as they are kept."""

ENTERED: Final = pa.schema(
    [
        _column("stage", pa.int16(), "number of the stage, from 1"),
        _column("agent_id", pa.string(), "one row per fresh agent with a decision in the stage, whole unit or not"),
        _column("treated", pa.bool_(), "whether its place is below the stage's share"),
        _column("entered_at", TIME, "its first decision in the stage; rows are in this order"),
    ]
)
"""Fresh agents, as the log shows them at a look; they are counted and not kept."""


def units_digest(units: pa.Table) -> str:
    """Digest units, so that a look says of which ones it speaks.

    Args:
        units: Rows of schema `UNITS`, in the order of their numbers.

    Returns:
        SHA-256 over all of their values; how the table is cut into pieces changes nothing.

    >>> units_digest(UNITS.empty_table()) == units_digest(pa.concat_tables([UNITS.empty_table()] * 2))
    True
    """
    found = hashlib.sha256(f"{units.num_rows}".encode())
    for field in UNITS:
        column = units[field.name]
        if pa.types.is_timestamp(field.type):
            column = column.cast(pa.int64())
        if pa.types.is_string(field.type) or pa.types.is_list(field.type):
            found.update(canonical_json(column.to_pylist()))
        else:
            found.update(np.ascontiguousarray(column.to_numpy(), dtype="<f8").tobytes())
    return found.hexdigest()
