"""What a phone's report found out about a decision of the service counts for that decision, once."""

from datetime import timedelta

import pyarrow as pa
import pytest

from spots_ml.scoring.decision_log.fields import DECISIONS_WITH_OUTCOMES
from spots_ml.scoring.decision_log.reported_outcomes import with_reported_outcomes
from spots_ml_tests.scoring.phone_reports import MOMENT, reports

HOUR = timedelta(hours=1)
SCHEMA = pa.schema([field.with_nullable(True) for field in DECISIONS_WITH_OUTCOMES])
NAMES = ("outcome_type", "outcome_score", "outcome_at", "first_outcome_at")
FOUND = dict(zip(NAMES, ("positive", 0.9, MOMENT + HOUR, None), strict=True))
OTHER = dict(zip(NAMES, ("negative", 0.1, MOMENT + 2 * HOUR, MOMENT + HOUR), strict=True))
NOTHING = dict.fromkeys(NAMES)


def served(*changes):
    about = {"agent_id": "agent-1", "opportunity_id": "spot", "decided_at": MOMENT, "origin": "served"}
    return pa.Table.from_pylist([dict.fromkeys(SCHEMA.names) | about | change for change in changes], SCHEMA)


def outcomes(decisions, *told):
    found = with_reported_outcomes(decisions, reports(*told))
    assert found.schema == decisions.schema
    return [{name: row[name] for name in NAMES} for row in found.to_pylist()]


def test_a_served_decision_takes_the_outcome_of_a_report_of_the_same_millisecond():
    finer = {"decided_at": MOMENT + timedelta(microseconds=999)}
    assert outcomes(served({}), FOUND | finer) == [FOUND]
    assert outcomes(served({}, {"opportunity_id": "another"}), OTHER) == [OTHER, NOTHING]


@pytest.mark.parametrize(
    "told",
    [
        *({"agent_id": "agent-2"}, {"opportunity_id": "another"}, {"decided_at": MOMENT + timedelta(milliseconds=1)}),
        NOTHING,
    ],
    ids=str,
)
def test_what_is_told_of_another_decision_or_nothing_at_all_changes_nothing(told):
    assert outcomes(served({}), FOUND | told) == [NOTHING]


def test_what_was_replayed_has_no_outcome_and_what_has_one_keeps_it():
    assert outcomes(served({"origin": "replayed"}, OTHER), FOUND) == [NOTHING, OTHER]


def test_of_several_reports_the_one_that_was_written_first_tells_it():
    late, early = FOUND | {"reported_at": MOMENT + HOUR}, OTHER | {"reported_at": MOMENT}
    assert outcomes(served({}), late, early, NOTHING) == [OTHER]


def test_without_reports_decisions_are_as_they_are():
    assert outcomes(served({}, OTHER)) == [NOTHING, OTHER]
    assert outcomes(served(), FOUND) == []
