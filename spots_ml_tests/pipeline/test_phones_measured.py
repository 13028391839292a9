"""A day's measure of what phones decided: apart from what was served, only what counts, all else counted by reason."""

from dataclasses import replace
from datetime import timedelta

import pytest

from spots_ml.defs.pages.performance import phones_metadata
from spots_ml.pipeline.monitoring_steps import measure_day
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.registry.blessing import promote_blessed
from spots_ml_tests.registry.building import make_candidate
from spots_ml_tests.scoring.phone_reports import MOMENT, OF_THE_FORMULA, reports

DAY = timedelta(days=1)
OUTCOME = {"outcome_type": "positive", "outcome_score": 0.9, "outcome_at": MOMENT + timedelta(hours=1)}
SAID = {"version": "v1.0-real", "outcome_version": None}


class Phones:
    def __init__(self, table):
        self.table = table

    def read_phone_decisions(self, since, until):
        return self.table


@pytest.fixture
def store(tmp_path):
    store = embedded_store(tmp_path / "store.sqlite")
    store.versions.register(make_candidate("a", "v1.0-real"), now=MOMENT - 2 * DAY, actor="a test")
    promote_blessed(store.versions, "calling_score", "v1.0-real", now=MOMENT - DAY, actor="a test", reason="")
    return store


def measure(store, *changes):
    table = reports(*(SAID | {"decision_id": str(place)} | change for place, change in enumerate(changes)))
    store = replace(store, phones=Phones(table))
    now = MOMENT + 9 * DAY
    measured = measure_day(store, MOMENT.date(), now=now, maturity=3 * DAY, recent_days=1)
    assert measured.recent == measured.rows
    return measured


def test_what_counts_is_measured_in_its_arm_and_what_does_not_is_counted_by_reason(store):
    fell_back = {"opportunity_id": "other", "neural_score": None, "weight": 0.0, "fallback": "calling_score: slow"}
    measured = measure(
        store,
        OUTCOME,
        fell_back,
        OF_THE_FORMULA | {"called": False, "score": 0.5},
        {"opportunity_id": "a third", "version": "v9.9-real"} | OUTCOME,
        {"opportunity_id": "a fourth", "called": None} | OUTCOME,
    )
    assert measured.phone_claims == {"as_reported": 3, "incomplete": 1, "not_in_service": 1}
    version, formula = measured.rows
    assert [(row.origin, row.arm) for row in measured.rows] == [
        ("phone", "calling_score v1.0-real"),
        ("phone", "formula"),
    ]
    assert (version.n_decisions, version.n_labelled, version.positive_outcome_rate.value) == (2, 1, 1.0)
    assert version.fallbacks == {"calling_score: slow": 1}
    assert (formula.n_decisions, formula.called_rate.value, formula.fallbacks) == (1, 0.0, {})
    assert measured.claims == {}


def test_the_page_tells_how_many_count_and_why_others_do_not(store):
    measured = measure(store, {}, {"opportunity_id": "other", "propensity": None})
    shown = phones_metadata(measured.phone_claims)
    assert (shown["n_phone_decisions"].value, shown["n_phone_decisions_set_aside"].value) == (1, 1)
    assert "| incomplete | 1 | arm, weight," in shown["phones"].value


def test_without_reports_nothing_of_phones_is_measured(store):
    measured = measure(store)
    assert (measured.rows, measured.phone_claims) == ((), {})
    assert phones_metadata({})["phones"].value == "no phone reported a decision"
