"""Reports of phones for tests: one that counts, and what is changed of it."""

from datetime import UTC, datetime

import pyarrow as pa

from spots_ml.scoring.decision_log.phone_decisions import PHONE_DECISIONS

HYBRID_AGENT, FORMULA_AGENT = "agent-1", "agent-2"
MOMENT = datetime(2026, 11, 21, 12, tzinfo=UTC)

GOOD = {
    "decision_id": "1",
    "agent_id": HYBRID_AGENT,
    "opportunity_id": "spot",
    "decided_at": MOMENT,
    "group": "hybrid",
    "version": "a",
    "outcome_version": "b",
    "weight": 0.25,
    "formula_score": 0.8,
    "neural_score": 0.9,
    "score": 0.7,
    "called": True,
    "propensity": 1.0,
    "fallback": None,
    "reported_in": "training_data",
}
OF_THE_FORMULA = {"agent_id": FORMULA_AGENT, "group": "formulaBased", "weight": 0.0, "neural_score": None}


def reports(*changes):
    rows = [dict.fromkeys(PHONE_DECISIONS.names) | GOOD | change for change in changes]
    for row in rows:
        # Written at once, where nothing else is said.
        row["reported_at"] = row["reported_at"] or row["decided_at"]
    return pa.Table.from_pylist(rows, PHONE_DECISIONS)
