"""What was decided, whatever its route: the service's served decisions and those that phones reported, each once."""

from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.scoring.decision_log.fields import DECISIONS_WITH_OUTCOMES
from spots_ml.scoring.decision_log.same_decision import repeated, same_decision

_TAKEN: Final = (
    *("agent_id", "opportunity_id", "decided_at", "version", "outcome_version", "weight", "neural_score"),
    *("formula_score", "called", "fallback", "arm", "experiment", "stage"),
    *("outcome_type", "outcome_at", "first_outcome_at"),
)
_JUST_AFTER: Final = timedelta(microseconds=1)

DECIDED: Final = pa.schema(
    [
        *(pa.field(name, DECISIONS_WITH_OUTCOMES.field(name).type) for name in _TAKEN),
        pa.field("by_phone", pa.bool_(), nullable=False),
    ]
)
"""What units are made of; what a route does not tell is null."""


def decided_once(served: pa.Table, reports: pa.Table) -> pa.Table:
    """Put both routes together.

    Args:
        served: Decisions that the service served, rows of schema `DECISIONS_WITH_OUTCOMES`.
        reports: What phones reported and what counts (`phone_claims.counted_reports`).

    Returns:
        Rows of schema `DECIDED`: of one agent, opportunity and millisecond one, the service's where there is one.
    """
    table = pa.concat_tables([_taken(served, by_phone=False), _taken(reports, by_phone=True)])
    everything = np.ones(table.num_rows, bool)
    twice = repeated(same_decision(table), np.arange(table.num_rows), everything)
    return table.filter(pa.array(~twice)) if twice.any() else table


def known_until(decided: pa.Table, *, now: datetime) -> datetime:
    """Tell up to which moment it is known what was decided.

    A clock that is ahead says that windows are over whose decisions are still to come, and a unit that is made too
    early stays so. So the log has to have got there as well, by the clocks of those who wrote it.

    Args:
        decided: Rows of schema `DECIDED`.
        now: The present by the clock of who looks, with a time zone.

    Returns:
        The present, or just after the last moment at which anything was decided, whichever is earlier (UTC): all of
        `decided` that lies before the present lies before it.
    """
    present, last = now.astimezone(UTC), pc.max(decided["decided_at"]).as_py()
    return present if last is None else min(present, last.astimezone(UTC) + _JUST_AFTER)


def _taken(decisions: pa.Table, *, by_phone: bool) -> pa.Table:
    told = {
        name: decisions[name]
        if name in decisions.column_names
        else pa.nulls(decisions.num_rows, DECIDED.field(name).type)
        for name in _TAKEN
    }
    told["by_phone"] = pa.repeat(pa.scalar(by_phone), decisions.num_rows)
    return pa.table(told, schema=DECIDED)
