"""Outcomes that phones' reports found for what the service decided: by `outcome_id`, or in the app's own comparison."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.interactions.columns import times
from spots_ml.scoring.decision_log.same_decision import SAME_DECISION, same_decision

_OUTCOME: Final = ("outcome_type", "outcome_score", "outcome_at", "first_outcome_at")


def with_reported_outcomes(decisions: pa.Table, reports: pa.Table) -> pa.Table:
    """Give served decisions that have no outcome the one that a report of the same decision has.

    The log finds an outcome by its moment alone. An app that tells it a millisecond off, but under an `outcome_id`, has
    told it all the same where it reports what the service decided.

    Args:
        decisions: `n` rows of schema `DECISIONS_WITH_OUTCOMES`.
        reports: What phones reported of the same period, schema `PHONE_DECISIONS`, whether or not it counts as their
            decision.

    Returns:
        The same rows; what was replayed, and what has an outcome, as it is. Of several reports the one that was written
        first tells it.
    """
    told = pa.concat_tables([decisions.select(SAME_DECISION), reports.select(SAME_DECISION)], promote_options="default")
    number = same_decision(told)
    of_service, of_phones = number[: decisions.num_rows], number[decisions.num_rows :]
    written = np.argsort(times(reports["reported_at"]), kind="stable")
    known = written[reports["outcome_type"].is_valid().to_numpy()[written]]
    numbers, firsts = np.unique(of_phones[known], return_index=True)
    if len(numbers) == 0:
        return decisions
    place = np.minimum(np.searchsorted(numbers, of_service), len(numbers) - 1)
    lacking = pc.and_(pc.equal(decisions["origin"], "served"), pc.is_null(decisions["outcome_type"]))
    found = pa.array(lacking.to_numpy() & (numbers[place] == of_service))
    teller = pa.array(known[firsts[place]])
    for name in _OUTCOME:
        column = pc.if_else(found, reports[name].take(teller), decisions[name])
        index = decisions.schema.get_field_index(name)
        decisions = decisions.set_column(index, decisions.schema.field(index), column)
    return decisions
