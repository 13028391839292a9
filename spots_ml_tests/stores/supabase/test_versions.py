"""What the registry in Supabase promises beyond the contract: lost answers, many at once, long histories."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from spots_ml.errors import RegistryError
from spots_ml.stores.supabase.store import supabase_store
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.connection import SupabaseConnection
from spots_ml.stores.supabase.transport.retries import RetryPolicy
from spots_ml_tests.registry.building import hours, make_candidate
from spots_ml_tests.stores.keeping_versions import MODEL, archive, fill, promote, rollback
from spots_ml_tests.stores.supabase import scripted_server as script
from spots_ml_tests.stores.supabase.relay import Relay

LOST = (script.applied_then_reset, script.refuse(503), script.closed_without_answer)
"""A change whose answer is lost, then two attempts that never reach the project."""


@pytest.fixture
def relay(project, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Relay(project.url) as running:
        yield running


@pytest.fixture
def store(project, relay, waits):
    connection = SupabaseConnection(relay.url, project.keys.secret)
    random, policy = np.random.default_rng(0), RetryPolicy(attempts=4)
    with Calls(connection, random=random, policy=policy, sleep=waits.append) as calls:
        yield supabase_store(calls)


def test_a_change_whose_answer_is_lost_happens_once(relay, store):
    fill(store, "b")
    relay.faults.extend(LOST)
    assert store.versions.register(make_candidate("a", "v1.1-synthetic"), now=hours(1), actor="test").created
    relay.faults.extend(LOST)
    assert promote(store, 0).status == "active"
    relay.faults.extend(LOST)
    assert promote(store, 1).status == "active"
    relay.faults.extend(LOST)
    assert rollback(store) == "v1.0-synthetic"
    relay.faults.extend(LOST)
    assert archive(store, 1).status == "archived"

    assert [entry.action for entry in store.versions.history()] == [
        *("registered", "registered", "promoted", "superseded", "promoted", "rolled_back", "restored", "archived")
    ]


def at_once(project, act):
    """Let eight clients, each with its own connection, do something at the same moment."""
    start = threading.Barrier(8)

    def work(number):
        with Calls(SupabaseConnection(project.url, project.keys.secret), random=np.random.default_rng(number)) as calls:
            store = supabase_store(calls)
            store.versions.newest(MODEL)
            start.wait(30)
            return act(store, number)

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(work, range(8)))


def force(store, number):
    """Promote whatever else is active: who is compared with the active version is compared with another one by then."""
    by = {"now": hours(10), "actor": "ann", "reason": "better", "forced": True}
    return store.versions.promote(MODEL, f"v1.{number}-synthetic", **by)


def test_eight_clients_promote_at_once_and_one_version_is_active(project, store):
    fill(store, *"abcdefgh")

    assert at_once(project, lambda client, number: force(client, number).status) == ["active"] * 8

    assert sorted(one.status for one in store.versions.list_versions()) == ["active"] + ["deprecated"] * 7
    active = None
    for entry in store.versions.history()[8:]:
        if entry.action == "superseded":
            assert entry.version == active
            active = None
        else:
            assert (entry.action, active) == ("promoted", None)
            active = entry.version
    assert [one.version for one in store.versions.list_versions() if one.status == "active"] == [active]


def test_eight_clients_promote_the_same_version_and_one_does(project, store):
    fill(store, "a")

    def attempt(client, _):
        try:
            return force(client, 0).status
        except RegistryError as error:
            return str(error)

    answers = at_once(project, attempt)
    assert answers.count("active") == 1
    assert answers.count(f"{MODEL} v1.0-synthetic is active already; there is nothing to promote") == 7


def test_eight_clients_register_the_same_content_and_there_is_one_version(project, store):
    answers = at_once(
        project,
        lambda client, number: client.versions.register(make_candidate("a"), now=hours(number), actor="test").created,
    )

    assert sorted(answers) == [False] * 7 + [True]
    assert len(store.versions.list_versions()) == 1


def test_a_history_longer_than_the_api_sends_at_once_is_read_wholly(project, store):
    fill(store, "a")
    with project.server.connect(project.database, autocommit=True) as connection:
        connection.execute(
            "insert into public.version_history"
            " (at, model_type, version, action, from_status, to_status, actor, reason)"
            " select '2026-11-21T10:00:00Z'::timestamptz + make_interval(secs => number), 'calling_score',"
            " 'v1.0-synthetic', 'reaffirmed', 'staging', 'staging', 'test', number::text"
            " from generate_series(1, 2500) as number"
        )

    entries = store.versions.history(MODEL, "v1.0-synthetic")
    assert [entry.reason for entry in entries] == ["", *map(str, range(1, 2501))]
    assert store.versions.history("outcome") == ()


def test_times_are_utc_whatever_zone_the_database_answers_in(project, store):
    fill(store, "a")
    zone = f"alter database {project.database} set timezone to"
    with project.server.connect(project.database, autocommit=True) as connection:
        connection.execute(f"{zone} 'Asia/Kathmandu'")
    try:
        assert store.versions.newest(MODEL).created_at == hours(0)
        assert promote(store, 0).updated_at == hours(10)
        assert [entry.at for entry in store.versions.history()] == [hours(0), hours(10)]
    finally:
        with project.server.connect(project.database, autocommit=True) as connection:
            connection.execute(f"{zone} 'UTC'")
