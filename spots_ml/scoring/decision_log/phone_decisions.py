"""What phones report that they decided: its columns, and who gives them back.

A report is a claim, and no entry of the decision log: what of it counts is said in `phone_claims`. Where the reports
are kept is up to `stores`.
"""

from datetime import datetime
from typing import Final, Literal, Protocol

import pyarrow as pa

from spots_ml.scoring.decision_log.fields import DECISIONS_WITH_OUTCOMES

PhoneOrigin = Literal["phone"]
PHONE: Final[PhoneOrigin] = "phone"
"""Origin of what a phone decided, beside those of the decision log (see `fields.Origin`)."""

_REPORTED: Final = (
    *("decision_id", "agent_id", "opportunity_id", "decided_at", "group", "version", "outcome_version", "weight"),
    *("formula_score", "neural_score", "score", "called", "propensity", "fallback"),
    *("outcome_type", "outcome_score", "outcome_at", "first_outcome_at"),
)

PHONE_DECISIONS: Final = pa.schema(
    [pa.field(name, DECISIONS_WITH_OUTCOMES.field(name).type, nullable=name != "decision_id") for name in _REPORTED]
)
"""The fields of a decision with its outcome that a phone reports, as they are named there; any may be unknown.

`decision_id` is the id of the row that the phone wrote.
"""


class PhoneDecisions(Protocol):
    """Gives back what phones reported, and what came of it."""

    def read_phone_decisions(self, since: datetime, until: datetime) -> pa.Table:
        """Give the reports with since <= decided_at < until, by moment and id, with the outcomes known now.

        The rows have the schema `PHONE_DECISIONS`; none of them is judged.
        """
        ...
