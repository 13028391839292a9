from datetime import UTC, datetime

import pyarrow as pa

from spots_ml.interactions.judging.intake import Intake
from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.schema import INTERACTIONS


def test_records_are_parted_and_counted_over_all_batches():
    rows = [
        {"position": 0, "agent_id": "a"},
        {"position": 1, "agent_id": ""},
        {"position": 2, "agent_id": "b\0", "outcome_type": "positive"},
        {"position": 3},
    ]
    batches = [pa.RecordBatch.from_pylist(part, schema=INTERACTIONS) for part in (rows[:3], rows[3:])]
    intake = Intake(ValidationConfig(max_broken_share=0.5), datetime(2026, 11, 21, tzinfo=UTC))
    parts = list(intake.judged(batches))

    assert [accepted["position"].to_pylist() for accepted, _ in parts] == [[0], [3]]
    assert [[(row["position"], row["reasons"]) for row in broken] for _, broken in parts] == [
        [(1, ["empty_id"]), (2, ["incomplete_outcome", "invalid_encoding"])],
        [],
    ]
    report = intake.report(n_distinct=2, n_new=1, n_updated=0, n_new_labels=0)
    assert (report.n_read, report.n_quarantined, report.n_unchanged, report.n_repeated) == (4, 2, 1, 0)
    assert report.reasons == {"empty_id": 1, "incomplete_outcome": 1, "invalid_encoding": 1}
