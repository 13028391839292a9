"""What was decided on either route is read once, each decision with the outcome that either of them found."""

from datetime import timedelta

import pytest

from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.reading.export import read_export
from spots_ml.pipeline.intake.import_step import import_export
from spots_ml.pipeline.monitoring_steps import measure_day
from spots_ml.pipeline.rollouts.both_routes import read_both_routes
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.pipeline.told_exports import MOMENT, outcome, record, report, write
from spots_ml_tests.scoring.deciding import decide
from spots_ml_tests.stores.keeping_decisions import EVER
from spots_ml_tests.stores.keeping_interactions import interaction

OUTCOME_ID = "7f6b0a52-3f0e-4c55-9a54-0d1f6f1d2c11"
DAYS_LATER = MOMENT + timedelta(days=9)
UNNAMED = {"model_version": None, "outcome_model_version": None, "experiment": None, "stage": None}
FELL_BACK = {"neural_score": None, "weight": 0.0, "fallback": "calling_score: no_version, outcome: no_version"}


@pytest.fixture
def store(tmp_path):
    """One decision that the service served and a phone reports, one that a phone made; outcomes told a moment off."""
    store = embedded_store(tmp_path / "store.sqlite")
    said = UNNAMED | FELL_BACK | {"calling_score": 0.8}
    off = {"timestamp": (MOMENT + timedelta(minutes=1, milliseconds=1)).isoformat()}
    rows = [report(1, **said, outcome_id=OUTCOME_ID), record(1, **off, outcome_id=OUTCOME_ID) | outcome(1)]
    path = write(tmp_path / "e.json", *rows, report(2, **said) | outcome(2))
    import_export(store, path, read_export(path), now=DAYS_LATER, config=ValidationConfig())
    at = MOMENT + timedelta(minutes=1)
    served = interaction(0, agent_id="agent-1", opportunity_id="spot-1", scored_at=at)
    store.decisions.log_decisions([decide([served], now=at)], now=at)
    return store


def test_a_decision_on_both_routes_is_the_services_with_the_outcome_that_the_phone_found(store):
    served, reports = read_both_routes(store, *EVER)
    assert served.select(["opportunity_id", "outcome_type"]).to_pylist() == [
        {"opportunity_id": "spot-1", "outcome_type": "positive"}
    ]
    assert reports["opportunity_id"].to_pylist() == ["spot-2"]


def test_the_days_performance_counts_it_and_no_outcome_is_left_without_a_decision(store):
    measured = measure_day(store, MOMENT.date(), now=DAYS_LATER, maturity=timedelta(days=2), recent_days=1)
    assert [(row.origin, row.n_decisions, row.n_labelled) for row in measured.rows] == [
        ("served", 1, 1),
        ("phone", 1, 1),
    ]
    assert measured.phone_claims == {"as_reported": 1, "already_served": 1}
    assert (measured.linking.n_outcomes, measured.linking.n_without_decision) == (2, 0)
