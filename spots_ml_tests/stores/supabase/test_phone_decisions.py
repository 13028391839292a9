"""What phones report to a Supabase project, read in the words of the decision log."""

from datetime import timedelta

import pytest

from spots_ml.errors import InputError
from spots_ml.local_supabase.postgres import ADMIN
from spots_ml.registry.service import service_periods
from spots_ml.scoring.decision_log.phone_claims import judge_reports
from spots_ml.stores.supabase.store import supabase_store
from spots_ml.stores.supabase.transport import paging
from spots_ml_tests.database.roles import AGENT_A, START, hours, insert, interaction, outcome
from spots_ml_tests.stores.supabase import scripted_server as script

TABLE = "calling_score_training_data"
EVER = START - timedelta(days=1), START + timedelta(days=1)
REPORT = {
    "arm": "hybrid",
    "model_version": "v1.0-real",
    "outcome_model_version": "v1.1-real",
    "weight": 0.1,
    "neural_score": 0.1 + 0.2,
    "calling_score": 0.6,
    "is_called": False,
    "propensity": 0.95,
    "fallback": "outcome: slow",
}


def report(project, *rows):
    with project.server.connect(project.database, ADMIN, autocommit=True) as connection:
        for row in rows:
            insert(connection, TABLE, **row)


@pytest.fixture
def store(relayed):
    return supabase_store(relayed)


def test_reports_come_back_in_the_words_of_the_log_with_what_came_of_them(project, store):
    report(project, interaction(**REPORT) | outcome(), interaction(at=1))
    (row,) = store.phones.read_phone_decisions(*EVER).to_pylist()
    row.pop("decision_id")
    assert row == {
        "agent_id": AGENT_A,
        "opportunity_id": "spot-1",
        "decided_at": START,
        "group": "hybrid",
        "version": "v1.0-real",
        "outcome_version": "v1.1-real",
        "weight": 0.1,
        "formula_score": 0.75,
        "neural_score": 0.1 + 0.2,
        "score": 0.6,
        "called": False,
        "propensity": 0.95,
        "fallback": "outcome: slow",
        "outcome_type": "positive",
        "outcome_score": 0.8,
        "outcome_at": hours(5),
        "first_outcome_at": None,
    }


def test_a_period_begins_with_its_first_moment_ends_before_its_last_and_is_read_whole(project, store, monkeypatch):
    monkeypatch.setattr(paging.read_pages, "__kwdefaults__", {"page_rows": 2})
    report(project, *(interaction(at=hour, **REPORT) for hour in (3, 0, 4, 1, 2, 5)))
    found = store.phones.read_phone_decisions(hours(1), hours(5))
    assert found["decided_at"].to_pylist() == [hours(1), hours(2), hours(3), hours(4)]


def test_a_report_of_a_version_that_nobody_registered_is_read_and_set_aside(project, store):
    report(project, interaction(**REPORT))
    found = store.phones.read_phone_decisions(*EVER)
    assert judge_reports(found, service_periods(store.versions.history())).to_pylist() == ["not_in_service"]


def test_what_is_reported_while_it_is_read_is_left_out(project, relay, store, monkeypatch):
    monkeypatch.setattr(paging.read_pages, "__kwdefaults__", {"page_rows": 2})
    report(project, *(interaction(at=hour, **REPORT) for hour in (0, 2, 4)))

    def meanwhile(handler):
        report(project, interaction(at=3, **REPORT))
        with project.server.connect(project.database, ADMIN, autocommit=True) as connection:
            connection.execute("select public.label_watermark()")
        handler.behave()

    # The point of arrival, the count, the first page.
    relay.faults.extend([script.behave, script.behave, script.behave, meanwhile])
    found = store.phones.read_phone_decisions(*EVER)
    assert found["decided_at"].to_pylist() == [hours(0), hours(2), hours(4)]
    assert store.phones.read_phone_decisions(*EVER).num_rows == 4


def test_rows_that_a_page_lacks_are_an_error(project, relay, store):
    report(project, interaction(**REPORT))
    relay.faults.extend([script.behave, script.behave, script.refuse(200, [])])
    with pytest.raises(InputError, match="0 rows came, 1 were counted"):
        store.phones.read_phone_decisions(*EVER)
