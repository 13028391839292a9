"""What phones report that they decided: its columns, and who gives them back.

A report is a claim, and no entry of the decision log: what of it counts is said in `phone_claims`. Where the reports
are kept is up to `stores`.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal, Protocol

import pyarrow as pa

from spots_ml.scoring.decision_log.fields import DECISIONS_WITH_OUTCOMES, TIME

PhoneOrigin = Literal["phone"]
PHONE: Final[PhoneOrigin] = "phone"
"""Origin of what a phone decided, beside those of the decision log (see `fields.Origin`)."""

_REPORTED: Final = (
    *("decision_id", "agent_id", "opportunity_id", "decided_at", "group", "version", "outcome_version", "weight"),
    *("formula_score", "neural_score", "score", "called", "propensity", "fallback", "experiment", "stage"),
    *("outcome_type", "outcome_score", "outcome_at", "first_outcome_at"),
)

PHONE_DECISIONS: Final = pa.schema(
    [
        *(
            DECISIONS_WITH_OUTCOMES.field(name).remove_metadata().with_nullable(name != "decision_id")
            for name in _REPORTED
        ),
        pa.field("reported_at", TIME, metadata={"doc": "when it was written, by the clock of the database"}),
        pa.field("reported_in", pa.string(), metadata={"doc": "where: see ReportedIn"}),
        pa.field("outcome_by", pa.string(), metadata={"doc": "how its outcome was found: see OutcomeBy; null: none"}),
    ]
)
"""The fields of a decision with its outcome that a phone reports, as they are named there; any may be unknown.

`decision_id` is the id of the row that the phone wrote.
"""

ReportedIn = Literal["training_data", "comparison"]
"""Beside the features of the pair, or in the app's own comparison of the two groups."""

OutcomeBy = Literal["row", "id", "moment"]
"""The outcome stands in the very row, in one with the same `outcome_id`, or in one of the same moment."""


class PhoneDecisions(Protocol):
    """Keeps what phones reported, and gives it back with what came of it.

    Phones write to a Supabase project themselves; an export of theirs can be kept by every store.
    """

    def keep_reports(self, reports: Iterable[pa.Table], *, now: datetime) -> int:
        """Keep what an export tells beside its interactions (schema `told_reports.TOLD_REPORTS`); count the decisions.

        All of it or nothing; what was told first stays. Where the export does not say when a report was written, it was
        written now: `now`, or by the clock of the database.
        """
        ...

    def read_phone_decisions(self, since: datetime, until: datetime) -> pa.Table:
        """Give the reports with since <= decided_at < until, by moment and id, with the outcomes known now.

        The rows have the schema `PHONE_DECISIONS`; none of them is judged.
        """
        ...
