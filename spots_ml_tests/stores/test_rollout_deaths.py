"""Kill -9 before each statement of a change of a rollout: all of it is there afterwards, or nothing, and it goes on."""

import multiprocessing
import os
import signal
import sqlite3

import pytest

from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.registry.building import hours
from spots_ml_tests.stores.behind import file_of
from spots_ml_tests.stores.keeping_rollouts import alter, kept, new_start, record, start, units
from spots_ml_tests.stores.keeping_versions import fill, promote, rollback, weigh

FORK = multiprocessing.get_context("fork")


def begin(store):
    given = new_start(store, 1, blessed=False)
    store.rollouts.start_rollout(given, now=hours(50), actor="eva", reason="blessed", forced=True)


def promote_by_a_look(store):
    (rollout,) = store.rollouts.list_rollouts()
    record(store, rollout, units(rollout, "agent-1", "agent-2", "agent-3"), what="promoted")


def dying(path, act, n_statements):
    """Make a change in a process that dies before so many writing statements; exits with 0 where there are fewer."""

    class Connection(sqlite3.Connection):
        n_left = n_statements

        def execute(self, statement, *parameters):
            if statement.split()[0] not in ("SELECT", "PRAGMA"):
                Connection.n_left -= 1
                if Connection.n_left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return super().execute(statement, *parameters)

    connect = sqlite3.connect
    sqlite3.connect = lambda *given, **options: connect(*given, factory=Connection, **options)
    act(embedded_store(path))


@pytest.mark.parametrize(("act", "action"), [(begin, "started"), (promote_by_a_look, "promoted"), (rollback, "ended")])
def test_a_change_that_is_killed_leaves_all_or_nothing_and_is_made_again(embedded, act, action):
    fill(embedded, "a", "b")
    promote(embedded, 0)
    weigh(embedded, 0, 0.2)
    if act is not begin:
        start(embedded, 1)
    before, n_statements, exits = kept(embedded), 0, []
    while kept(embedded) == before:
        process = FORK.Process(target=dying, args=(file_of(embedded), act, n_statements))
        process.start()
        process.join()
        exits.append(process.exitcode)
        n_statements += 1

    assert exits[-1] == 0
    assert set(exits[:-1]) == {-signal.SIGKILL}
    assert len(exits) > 5
    (rollout,) = embedded.rollouts.list_rollouts()
    assert embedded.rollouts.rollout_events(1)[-1].action == action
    assert len(embedded.rollouts.rollout_looks(1)) == (act is promote_by_a_look)
    if act is begin:
        assert alter(embedded, rollout, "ended").status == "ended"
