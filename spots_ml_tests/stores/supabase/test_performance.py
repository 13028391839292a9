"""What daily performance in Supabase promises beyond the contract: lost answers, damage, more rows than a page."""

import pytest

from spots_ml.errors import ArtifactError
from spots_ml.stores.supabase.store import supabase_store
from spots_ml.stores.supabase.transport.refusals import CallError, UnavailableError
from spots_ml_tests.stores.keeping_performance import read, row, save
from spots_ml_tests.stores.supabase import scripted_server as script


@pytest.fixture
def store(relayed):
    return supabase_store(relayed)


def test_an_answer_that_is_lost_neither_doubles_nor_loses_a_row(relay, store):
    relay.faults.extend([script.applied_then_reset, script.reset_before_headers, script.refuse(503)])
    save(store, row(1), row(2))

    assert relay.methods() == ["POST"] * 4
    assert read(store) == (row(1), row(2))


def test_saving_rows_of_which_the_database_refuses_one_keeps_none(store):
    save(store, row(1))

    with pytest.raises(CallError, match="could not save the performance"):
        save(store, row(1, called_rate=0.5), row(2), row(3, arm=""))
    assert read(store) == (row(1),)


def test_a_project_that_stays_away_keeps_what_it_had(relay, store):
    save(store, row(1))
    relay.faults.extend([script.reset_before_headers] * 4)

    with pytest.raises(UnavailableError, match="sent 4 times"):
        save(store, row(1, called_rate=0.5))
    assert read(store) == (row(1),)


@pytest.mark.parametrize("change", ["document - 'n_agents'", "document || '{\"n_agents\": -1}'"])
def test_a_row_that_was_changed_by_others_is_one_clear_error(project, store, change):
    save(store, row(1), row(2))
    with project.server.connect(project.database, autocommit=True) as connection:
        connection.execute(f"update public.performance set document = {change} where day = '2026-11-02'")

    with pytest.raises(ArtifactError, match=r"(?s)127\.0\.0\.1.*n_agents.*measure these days again"):
        read(store)
    assert read(store, 1, 2) == (row(1),)


def test_more_rows_than_the_api_sends_at_once_are_all_read(store):
    rows = [row(day, f"calling_score v1.{minor}-real") for day in range(1, 29) for minor in range(10, 50)]
    save(store, *rows)

    assert read(store) == tuple(rows)
