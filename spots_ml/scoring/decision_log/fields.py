"""The fields of a decision, declared once.

What tables of decisions look like, which of them are refused, how a store keeps, sends and reads them, and in what two
decisions differ: all of it follows from here. How a store writes a type is the store's business.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal, get_args

import pyarrow as pa

from spots_ml.errors import ContractError
from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.requests.request_schema import TREND_BOOST_RANGE
from spots_ml.scoring.assignment import FORMULA_BASED, HYBRID
from spots_ml.scoring.decision_log.claims import CLAIMS
from spots_ml.scoring.decision_log.field_rules import Between, HexDigits, NotEmpty, OneOf, Rule

Origin = Literal["served", "replayed"]
"""`served`: decided at that moment, and counts; `replayed`: what would have been decided. See `claims`."""
ORIGINS: Final[tuple[Origin, ...]] = get_args(Origin)

Packing = Literal["plain", "bytes", "history"]
"""How small a store of files may keep a field: as it is, hexadecimal digits as bytes, or as one of the six numbers that
are kept as one value."""

TIME: Final = pa.timestamp("us", tz="UTC")
_UNIT: Final = Between(0.0, 1.0)
_NAMED: Final = NotEmpty("expected a name, or null where there is none")
_LINKING: Final = NotEmpty("a decision is linked to its outcome by it: leave such rows out")


@dataclass(frozen=True)
class DecisionField:
    """One field of a decision.

    Attributes:
        name: Its name in tables.
        type: Its type in tables; what databases call it follows from that.
        doc: What it means.
        known: Whether every decision that is logged has it.
        rule: Which values it may have; None: any of the type.
        links: Whether it is part of what links a decision to its outcome.
        content: Whether two decisions of one id must agree on it.
        column: Its name in databases; empty: `name`.
        packing: How a store of files may keep it.
        since: Layout of the log that has it first. Rows of an earlier one do not say it; from then on `known` holds.
    """

    name: str
    type: pa.DataType
    doc: str
    known: bool = True
    rule: Rule | None = None
    links: bool = False
    content: bool = True
    column: str = ""
    packing: Packing = "plain"
    since: int = 1

    @property
    def sql_name(self) -> str:
        """Its name in databases."""
        return self.column or self.name

    @property
    def arrow(self) -> pa.Field:
        """Itself in the schema of a table."""
        return pa.field(self.name, self.type, nullable=self.nullable, metadata={"doc": self.doc})

    @property
    def nullable(self) -> bool:
        """Whether there are decisions without it."""
        return not self.known or self.since > 1


def _text(name: str, doc: str, rule: Rule | None = None, *, known: bool = True) -> DecisionField:
    return DecisionField(name, pa.string(), doc, known=known, rule=rule)


def _unit(name: str, doc: str, *, known: bool = True) -> DecisionField:
    return DecisionField(name, pa.float64(), doc, known=known, rule=_UNIT)


def _flag(name: str, doc: str) -> DecisionField:
    return DecisionField(name, pa.bool_(), doc)


FIELDS: Final[tuple[DecisionField, ...]] = (
    _text(
        "decision_id",
        "digest of agent, opportunity, moment and the two versions",
        NotEmpty("make the table with scoring.decision_log.decision_table"),
    ),
    # The same decision may be served, and scored again later: the log keeps the one that it knows.
    DecisionField(
        "origin",
        pa.string(),
        "served: decided at that moment; replayed: scored again afterwards",
        rule=OneOf(ORIGINS),
        content=False,
    ),
    DecisionField("agent_id", pa.string(), "pseudonymous", rule=_LINKING, links=True),
    DecisionField("opportunity_id", pa.string(), "what the agent was paired with", rule=_LINKING, links=True),
    DecisionField("decided_at", TIME, "when the pair was scored (UTC)", links=True),
    # `group` is a word of SQL.
    DecisionField(
        "group",
        pa.string(),
        "the agent's group: hybrid or formulaBased",
        rule=OneOf((HYBRID, FORMULA_BASED)),
        column="agent_group",
    ),
    _text("version", "calling-score version asked; null: there was none", known=False),
    _text("outcome_version", "outcome version asked; null: there was none", known=False),
    _unit("weight", "share of the neural score, as it took effect"),
    _unit("formula_score", "the formula's score in [0, 1]"),
    _unit("neural_score", "in [0, 1]; null: the model did not answer", known=False),
    _unit("outcome_probability", "P(positive) in [0, 1], by the model or the rule"),
    _unit("score", "the calling score in [0, 1]"),
    _flag("called", "whether the agent was called"),
    _flag("blocked", "whether the outcome filter said no"),
    _flag("explored", "whether the decision was left to a coin"),
    DecisionField(
        "propensity",
        pa.float64(),
        "probability of the decision; null: replayed",
        known=False,
        rule=_UNIT,
        content=False,
    ),
    DecisionField(
        "feature_digest",
        pa.string(),
        "SHA-256 of the 45 inputs as little-endian float32",
        rule=HexDigits(64),
        packing="bytes",
    ),
    *(
        DecisionField(name, pa.float32(), "as served, in [0, 1]", rule=_UNIT, packing="history")
        for name in HISTORY_FEATURES
    ),
    # The same history may be served at two watermarks.
    DecisionField(
        "watermark",
        pa.string(),
        "label watermark the history was served at; null: not served",
        known=False,
        content=False,
    ),
    _text("fallback", "which model did not answer and why; null: both answered", known=False),
    DecisionField(
        "arm",
        pa.string(),
        "what decided: 'formula', the champion such as 'calling_score v1.0-real', or the rollouts that treated the "
        "agent, such as 'rollout-7' or 'rollout-7+rollout-8'; null: logged before there were arms",
        rule=_NAMED,
        since=2,
    ),
    DecisionField(
        "experiment",
        pa.string(),
        "rollouts that drew the agent, treated or not, such as 'rollout-7+rollout-8'; null: none did",
        known=False,
        rule=_NAMED,
        since=2,
    ),
    DecisionField(
        "stage",
        pa.int64(),
        "stage of each of these rollouts, one digit each in that order; null: none drew the agent",
        known=False,
        rule=Between(1, 1000),
        since=2,
    ),
    DecisionField(
        "share",
        pa.float64(),
        "share of the agents of its group that the arm was to have; null: logged before there were arms",
        rule=_UNIT,
        since=2,
    ),
    DecisionField(
        "claim",
        pa.string(),
        "why it is served or replayed; null: logged by a program that knows no claims",
        rule=OneOf(CLAIMS),
        content=False,
        since=3,
    ),
    DecisionField(
        "trend_boost",
        pa.float64(),
        "by what share the trend changed the score; null: logged by a program that does not say it",
        rule=Between(*TREND_BOOST_RANGE),
        since=4,
    ),
    DecisionField(
        "filter_on",
        pa.bool_(),
        "whether the outcome filter could say no; null: logged by a program that does not say it",
        since=4,
    ),
)
"""All fields of a decision in their order; new ones are added at the end, with the next layout."""

LAYOUT_MARKS: Final = {field.since: field for field in reversed(FIELDS) if field.since > 1 and field.known}
"""Layout -> the field that tells by being known that a row is of that layout."""


DECISIONS: Final = pa.schema([field.arrow for field in FIELDS])
"""What was decided and on what grounds."""

DECISIONS_WITH_OUTCOMES: Final = pa.schema(
    [
        *DECISIONS,
        pa.field("outcome_type", pa.string(), metadata={"doc": "positive, neutral, negative; null: none arrived"}),
        pa.field("outcome_score", pa.float64(), metadata={"doc": "in [0, 1]; null: none arrived"}),
        pa.field("outcome_at", TIME, metadata={"doc": "when the outcome arrived (UTC); null: none, or unknown"}),
        pa.field(
            "first_outcome_at",
            TIME,
            metadata={"doc": "when the first outcome arrived that this one corrects (UTC); null: it is the first"},
        ),
    ]
)
"""Decisions and what came of them, as it is known when they are read."""


def asked_for(columns: Collection[str] | None) -> pa.Schema:
    """Tell what decisions look like of which only some columns are asked for.

    Args:
        columns: Names of `DECISIONS_WITH_OUTCOMES`; None: all.

    Returns:
        These fields of it, in its order.

    Raises:
        ContractError: When it has no such column.
    """
    if columns is None:
        return DECISIONS_WITH_OUTCOMES
    if strange := sorted(set(columns) - set(DECISIONS_WITH_OUTCOMES.names)):
        raise ContractError(
            f"decisions have no column {', '.join(strange)}; "
            f"expected some of {', '.join(DECISIONS_WITH_OUTCOMES.names)}"
        )
    return pa.schema([field for field in DECISIONS_WITH_OUTCOMES if field.name in columns])
