"""What the decision log in Supabase promises beyond the contract: lost answers, and writers meanwhile."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spots_ml.errors import InputError
from spots_ml.scoring.decision_log.fields import DECISIONS
from spots_ml.scoring.decision_log.log import LogReport
from spots_ml.stores.supabase import staging
from spots_ml.stores.supabase.postgres.bulk_read import DirectReads
from spots_ml.stores.supabase.store import supabase_store
from spots_ml.stores.supabase.transport import paging
from spots_ml.stores.supabase.transport.refusals import UnavailableError
from spots_ml_tests.stores.behind import calls_of
from spots_ml_tests.stores.keeping_decisions import EVER, decided, log
from spots_ml_tests.stores.supabase import scripted_server as script

FAULTS = [
    script.reset_before_headers,
    script.reset_after_headers,
    script.closed_without_answer,
    script.applied_then_reset,
    script.body_cut,
    script.refuse(503),
    script.refuse(429, Retry_After="3"),
]
STAGING, FINISHING = 3, 1
"""Requests that log 20 decisions, 7 at a time."""


@pytest.fixture
def store(relayed, monkeypatch):
    monkeypatch.setattr(staging, "_PAGE_ROWS", 7)
    return supabase_store(relayed)


def waiting(project):
    with project.server.connect(project.database) as connection:
        return connection.execute("select count(*) from public.incoming_rows").fetchone()[0]


def numbers(store):
    """Which of `decided` are there, in the order of reading."""
    return [
        int(name.removeprefix("spot ")) for name in store.decisions.read_decisions(*EVER)["opportunity_id"].to_pylist()
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15)
@given(faults=st.lists(st.lists(st.sampled_from(FAULTS), max_size=3), max_size=STAGING + FINISHING))
def test_whatever_is_lost_while_logging_each_decision_is_logged_once(project, relay, store, faults):
    project.empty()
    log(store, decided(3))
    # At most three faults, one less than attempts, before every good answer.
    relay.faults.extend(fault for group in faults for fault in (*group, script.behave))

    assert log(store, decided(*range(20))) == LogReport(n_new=19, n_known=1)
    relay.faults.clear()
    assert numbers(store) == list(range(20))
    assert waiting(project) == 0


@pytest.mark.parametrize("n_answered", range(STAGING))
def test_a_log_that_stays_away_while_decisions_are_sent_has_none_of_them(relay, store, n_answered):
    relay.faults.extend([script.behave] * n_answered + [script.applied_then_reset] * 4)

    with pytest.raises(UnavailableError, match="could not send rows"):
        log(store, decided(*range(20)))
    assert numbers(store) == []
    assert log(store, decided(*range(20))) == LogReport(n_new=20, n_known=0)


def test_when_no_answer_tells_that_decisions_were_logged_logging_them_again_does(relay, store):
    relay.faults.extend([script.behave] * STAGING + [script.applied_then_reset] * 4)

    with pytest.raises(UnavailableError, match=r"could not log decisions .* unknown whether the change was made"):
        log(store, decided(*range(20)))
    assert log(store, decided(*range(20))) == LogReport(n_new=0, n_known=20)
    assert numbers(store) == list(range(20))


def test_rows_that_were_swept_away_before_they_were_logged_are_an_error(project, relay, store):
    def sweep(handler):
        with project.server.connect(project.database, autocommit=True) as connection:
            connection.execute("delete from public.incoming_rows where position > 4")
        handler.behave()

    relay.faults.extend([*[script.behave] * STAGING, sweep])

    with pytest.raises(InputError, match=r"5 of the 20 decisions that were sent are there.*Nothing was logged"):
        log(store, decided(*range(20)))
    assert numbers(store) == []


def test_a_database_with_other_functions_is_one_clear_error(relay, store):
    relay.faults.extend([*[script.behave] * STAGING, script.refuse(200, {"status": "fine"})])

    with pytest.raises(InputError, match=r"log_decisions answered .*apply those in supabase/migrations"):
        log(store, decided(*range(20)))


def test_a_project_without_the_columns_of_arms_is_one_clear_error(relay, store):
    lacking = {"status": "other_fields", "missing": ["arm", "share"]}
    relay.faults.extend([*[script.behave] * STAGING, script.refuse(200, lacking)])

    with pytest.raises(InputError, match=r"table decisions lacks arm, share: apply the migrations.*Nothing was logged"):
        log(store, decided(*range(20)))


def test_decisions_that_are_logged_while_others_are_read_are_left_out(monkeypatch, relay, store):
    monkeypatch.setattr(paging.read_pages, "__kwdefaults__", {"page_rows": 4})
    log(store, decided(*range(5, 15)))

    def meanwhile(handler):
        log(store, decided(*range(20)))
        handler.behave()

    # The latest decision, the count, a page; then others about earlier and later moments arrive.
    relay.faults.extend([script.behave] * 3 + [meanwhile])

    assert numbers(store) == list(range(5, 15))
    assert numbers(store) == list(range(20))


def test_rows_that_are_lost_between_table_and_view_are_one_clear_error(project, store):
    log(store, decided(0, 1))
    directly = supabase_store(calls_of(store), DirectReads(project.dsn))
    with project.server.connect(project.database, autocommit=True) as connection:
        view = connection.execute("select pg_get_viewdef('public.decisions_with_outcomes')").fetchone()[0]
        change = "create or replace view public.decisions_with_outcomes with (security_invoker = true) as "
        connection.execute(f"{change} {view.rstrip(';')} where decided.opportunity_id <> 'spot 1'")
        try:
            with pytest.raises(InputError, match="gave 1 of 2 decisions"):
                directly.decisions.read_decisions(*EVER)
        finally:
            connection.execute(f"{change} {view}")


def test_what_the_api_and_postgres_itself_give_is_the_same(project, store):
    table = decided(*range(30))
    values = pa.array(np.random.default_rng(0).random(30))
    for name in ("score", "activity_level"):
        place = table.column_names.index(name)
        table = table.set_column(place, DECISIONS.field(name), values.cast(DECISIONS.field(name).type, safe=False))
    log(store, table)

    read = supabase_store(calls_of(store), DirectReads(project.dsn)).decisions.read_decisions(*EVER)
    assert read.equals(store.decisions.read_decisions(*EVER))
    assert read.select(DECISIONS.names).combine_chunks().equals(table.combine_chunks())
