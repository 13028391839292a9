"""What phones report to a Supabase project, read in the words of the decision log."""

from datetime import timedelta
from uuid import UUID

import pyarrow as pa
import pytest

from spots_ml.errors import InputError
from spots_ml.local_supabase.postgres import ADMIN
from spots_ml.registry.service import service_periods
from spots_ml.scoring.decision_log.phone_claims import judge_reports
from spots_ml.scoring.decision_log.told_reports import TOLD_REPORTS
from spots_ml.stores.supabase.store import supabase_store
from spots_ml.stores.supabase.transport import paging
from spots_ml_tests.database.clock import set_clock, without_clock
from spots_ml_tests.database.roles import (
    AGENT_A,
    AGENT_B,
    START,
    ab_outcome,
    decision,
    hours,
    insert,
    interaction,
    outcome,
)
from spots_ml_tests.stores.supabase import scripted_server as script

TABLE, COMPARISON = "calling_score_training_data", "calling_score_ab_test_outcomes"
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
    "experiment": "rollout-1",
    "stage": 2,
}
COMPARED = {
    "model_version": "v1.0-real",
    "outcome_model_version": "v1.1-real",
    "weight": 0.1,
    "formula_score": 0.75,
    "neural_score": 0.1 + 0.2,
    "calling_score": 0.6,
    "is_called": False,
    "propensity": 0.95,
    "fallback": "outcome: slow",
    "experiment": "rollout-1",
    "stage": 2,
}
NUMBER = UUID(int=7)
WRITTEN = START + timedelta(minutes=1)


def report(project, *rows, table=TABLE):
    with project.server.connect(project.database, ADMIN, autocommit=True) as connection:
        for row in rows:
            insert(connection, table, **row)


@pytest.fixture
def clock(project):
    """Let the project's database take a minute after the start for the present."""
    with project.server.connect(project.database, ADMIN, autocommit=True) as connection:
        set_clock(connection, f"timestamptz '{WRITTEN.isoformat()}'")
        yield
        without_clock(connection)


def found(store, *names):
    return [tuple(row[name] for name in names) for row in store.phones.read_phone_decisions(*EVER).to_pylist()]


@pytest.fixture
def store(relayed):
    return supabase_store(relayed)


def test_reports_come_back_in_the_words_of_the_log_with_what_came_of_them(project, store, clock):
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
        "experiment": "rollout-1",
        "stage": 2,
        "reported_at": WRITTEN,
        "reported_in": "training_data",
        "outcome_by": "row",
    }


def test_the_apps_comparison_is_read_in_the_same_words_and_its_outcome_arrived_when_it_was_written(
    project, store, clock
):
    told = {"outcome_type": "positive", "outcome_score": 0.8}
    report(project, ab_outcome(**COMPARED | told), ab_outcome(at=1), table=COMPARISON)
    row, bare = store.phones.read_phone_decisions(*EVER).to_pylist()
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
        "outcome_at": WRITTEN,
        "first_outcome_at": None,
        "experiment": "rollout-1",
        "stage": 2,
        "reported_at": WRITTEN,
        "reported_in": "comparison",
        "outcome_by": "row",
    }
    assert (bare["score"], bare["called"], bare["weight"], bare["outcome_by"]) == (0.8, True, None, None)


def test_both_tables_are_read_by_moment_and_whole(project, store, monkeypatch):
    monkeypatch.setattr(paging.read_pages, "__kwdefaults__", {"page_rows": 2})
    report(project, *(interaction(at=hour, **REPORT) for hour in (4, 0, 2)))
    report(project, *(ab_outcome(at=hour) for hour in (3, 1, 5)), table=COMPARISON)
    assert found(store, "decided_at") == [(hours(hour),) for hour in range(6)]


def test_an_outcome_is_found_by_its_id_where_its_moment_is_another(project, store):
    report(
        project,
        interaction(**REPORT, outcome_id=NUMBER),
        interaction(at=0.001, outcome_id=NUMBER) | outcome(),
        interaction(at=1, **REPORT),
        interaction(at=1.001) | outcome(),
    )
    assert found(store, "decided_at", "outcome_type", "outcome_at", "outcome_by") == [
        (START, "positive", hours(5), "id"),
        (hours(1), None, None, None),
    ]


@pytest.mark.parametrize(
    "other", [{"agent_id": AGENT_B}, {"opportunity_id": "spot-2"}, {"outcome_id": UUID(int=8)}, REPORT], ids=str
)
def test_an_outcome_of_another_agent_opportunity_id_or_decision_is_not(project, store, other):
    told = interaction(at=0.001, outcome_id=NUMBER) | outcome() | other
    report(project, interaction(**REPORT, outcome_id=NUMBER), told)
    assert found(store, "outcome_by")[0] == (None,)


def test_an_outcome_is_that_of_one_decision_the_first_that_was_reported_under_its_id(project, store):
    report(project, interaction(at=1, **REPORT, outcome_id=NUMBER), interaction(**REPORT, outcome_id=NUMBER))
    report(project, ab_outcome(at=2, outcome_id=NUMBER), table=COMPARISON)
    report(project, interaction(at=1.001, outcome_id=NUMBER) | outcome())
    assert found(store, "decided_at", "outcome_by") == [(START, None), (hours(1), "id"), (hours(2), None)]


def test_an_outcome_whose_moment_is_that_of_a_served_decision_belongs_to_that_one(project, store):
    with project.server.connect(project.database, ADMIN, autocommit=True) as connection:
        insert(connection, "decisions", **decision(at=0.001), logged_at=START)
    report(project, interaction(**REPORT, outcome_id=NUMBER), interaction(at=0.001, outcome_id=NUMBER) | outcome())
    assert found(store, "outcome_by") == [(None,)]


def test_each_table_gives_an_outcome_to_the_report_of_the_same_millisecond_in_the_other(project, store, clock):
    finer = {"timestamp": START + timedelta(microseconds=999)}
    report(project, interaction(at=1) | outcome(at=6), interaction(**REPORT))
    report(project, ab_outcome(outcome_type="neutral", outcome_score=0.5) | finer, ab_outcome(at=1), table=COMPARISON)
    assert found(store, "reported_in", "outcome_type", "outcome_at", "outcome_by") == [
        ("training_data", "neutral", WRITTEN, "moment"),
        ("comparison", "neutral", WRITTEN, "row"),
        ("comparison", "positive", hours(6), "moment"),
    ]


def test_a_row_of_the_comparison_that_is_deleted_is_read_no_more(project, store):
    report(project, ab_outcome(), ab_outcome(at=1), table=COMPARISON)
    assert len(found(store)) == 2
    with project.server.connect(project.database, ADMIN, autocommit=True) as connection:
        connection.execute(f'delete from public.{COMPARISON} where "timestamp" = %s', [START])
    assert found(store, "decided_at") == [(hours(1),)]


def test_a_period_begins_with_its_first_moment_ends_before_its_last_and_is_read_whole(project, store, monkeypatch):
    monkeypatch.setattr(paging.read_pages, "__kwdefaults__", {"page_rows": 2})
    report(project, *(interaction(at=hour, **REPORT) for hour in (3, 0, 4, 1, 2, 5)))
    told = store.phones.read_phone_decisions(hours(1), hours(5))
    assert told["decided_at"].to_pylist() == [hours(1), hours(2), hours(3), hours(4)]


def test_a_report_of_a_version_that_nobody_registered_is_read_and_set_aside(project, store, clock):
    report(project, interaction(**REPORT))
    told, nothing_served = store.phones.read_phone_decisions(*EVER), store.decisions.read_decisions(*EVER)
    service = service_periods(store.versions.history())
    assert judge_reports(told, service, nothing_served).to_pylist() == ["not_in_service"]


def test_what_is_reported_while_it_is_read_is_left_out(project, relay, store, monkeypatch):
    monkeypatch.setattr(paging.read_pages, "__kwdefaults__", {"page_rows": 2})
    report(project, *(interaction(at=hour, **REPORT) for hour in (0, 2, 4)))

    def meanwhile(handler):
        report(project, interaction(at=3, **REPORT))
        with project.server.connect(project.database, ADMIN, autocommit=True) as connection:
            connection.execute("select public.label_watermark()")
        handler.behave()

    # Both points of arrival, the count, the first page.
    relay.faults.extend([*([script.behave] * 4), meanwhile])
    told = store.phones.read_phone_decisions(*EVER)
    assert told["decided_at"].to_pylist() == [hours(0), hours(2), hours(4)]
    assert store.phones.read_phone_decisions(*EVER).num_rows == 4


def test_rows_that_a_page_lacks_are_an_error(project, relay, store):
    report(project, interaction(**REPORT))
    relay.faults.extend([*([script.behave] * 3), script.refuse(200, [])])
    with pytest.raises(InputError, match="0 rows came, 1 were counted"):
        store.phones.read_phone_decisions(*EVER)


def told_report():
    row = dict.fromkeys(TOLD_REPORTS.names) | {"agent_id": AGENT_A, "opportunity_id": "spot-1", "decided_at": START}
    return pa.Table.from_pylist([row | {"score": 0.6}], pa.schema([one.with_nullable(True) for one in TOLD_REPORTS]))


def test_reports_that_were_swept_away_before_they_were_kept_are_an_error(project, relay, store):
    report(project, interaction())
    relay.faults.extend([script.behave, script.refuse(200, {"status": "incomplete", "n_rows": 0})])
    with pytest.raises(InputError, match="Nothing was kept; import again"):
        store.phones.keep_reports([told_report()], now=START)


def test_a_lost_answer_is_asked_for_again_and_reports_are_kept_once(project, relay, store):
    report(project, interaction())
    relay.faults.extend([script.behave, script.applied_then_reset])
    assert store.phones.keep_reports([told_report()], now=START) == 1
    assert found(store, "score") == [(0.6,)]
