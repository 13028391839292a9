"""A DSN of another project: noticed before any of its rows is used."""

from datetime import UTC, datetime

import numpy as np
import pytest

from spots_ml.errors import ConfigError
from spots_ml.features.history import NO_HISTORY
from spots_ml.interactions.keeping.interaction_store import EmptyStoreError
from spots_ml.stores.supabase.migrations.account import apply_migrations
from spots_ml.stores.supabase.postgres.bulk_read import DirectReads
from spots_ml.stores.supabase.store import supabase_store
from spots_ml_tests.database import roles
from spots_ml_tests.stores.keeping_decisions import EVER, decided, log
from spots_ml_tests.stores.keeping_interactions import interaction, read, take_in

READS = {
    "interactions": read,
    "history": lambda store: store.history.serve_history(["agent 1"], np.array(["2026-11-20"], "datetime64[us]")),
    "decisions": lambda store: store.decisions.read_decisions(*EVER),
}


@pytest.fixture
def elsewhere(project):
    """Another project's Postgres, with three interactions and three decisions of its own."""
    project.server.create_project("elsewhere")
    try:
        apply_migrations(project.server.url("elsewhere"))
        with project.server.connect("elsewhere", autocommit=True) as connection:
            for number in range(3):
                moment = {"timestamp": datetime(2026, 11, 1, number, tzinfo=UTC)}
                roles.insert(connection, "calling_score_training_data", **roles.interaction("agent 1") | moment)
                logged = {"logged_at": moment["timestamp"]}
                roles.insert(connection, "decisions", **roles.decision(f"{number}", "agent 1", at=number) | logged)
        yield DirectReads(project.server.url("elsewhere"))
    finally:
        project.server.drop_database("elsewhere")


@pytest.mark.parametrize("what", READS)
def test_a_dsn_of_another_project_is_noticed_before_its_rows_are_used(relayed, elsewhere, what):
    store = supabase_store(relayed, elsewhere)
    take_in(store, [interaction(number) for number in range(3)])
    log(store, decided(*range(3)))

    with pytest.raises(ConfigError, match=r"newest row of .* is number 3 \(.*set address and DSN of one project"):
        READS[what](store)


def test_an_empty_project_is_given_nothing_of_another(relayed, elsewhere):
    store = supabase_store(relayed, elsewhere)

    assert store.decisions.read_decisions(*EVER).num_rows == 0
    assert (READS["history"](store).values == np.array(NO_HISTORY, np.float32)).all()
    with pytest.raises(EmptyStoreError):
        read(store)
