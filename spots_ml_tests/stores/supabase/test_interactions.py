"""Interactions over the API: what it cuts off, who may read them, and a server that breaks off in the middle."""

import threading

import httpx
import jwt
import numpy as np
import psycopg
import pytest

from spots_ml.errors import InputError
from spots_ml.interactions.source import InteractionStream
from spots_ml.stores.supabase.store import supabase_store
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.connection import SupabaseConnection
from spots_ml_tests.database.roles import AGENT_A, AGENT_B
from spots_ml_tests.stores.keeping_interactions import NOW, interaction, read, stream, take_in

TABLE = "calling_score_training_data"
API_CAP = 1000
"""What the API answers with at most, as `supabase/config.toml` has it."""


@pytest.fixture
def real_calls(project):
    with Calls(SupabaseConnection(project.url, project.keys.secret), random=np.random.default_rng(1)) as calls:
        yield calls


@pytest.fixture
def store(real_calls):
    return supabase_store(real_calls)


def ask(project, agent=None):
    """Read the table as an app does, signed in as an agent or not at all."""
    headers = {"apikey": project.keys.publishable}
    if agent is not None:
        claims = {"sub": agent, "role": "authenticated", "aud": "authenticated", "exp": 4_000_000_000}
        headers["Authorization"] = f"Bearer {jwt.encode(claims, project.keys.jwt_secret, 'HS256')}"
    return httpx.get(f"{project.url}/rest/v1/{TABLE}?select=agent_id", headers=headers, trust_env=False)


def test_failure_12_more_labels_than_the_api_shows_are_counted_and_read_all(store, real_calls):
    n_rows = 2 * API_CAP + 345
    take_in(store, [interaction(number) for number in range(n_rows)])

    naive = real_calls.execute("read naively", TABLE, lambda client: client.from_(TABLE).select("id"), repeat="read")
    assert len(naive.data) == API_CAP
    assert store.interactions.count_labels_after(None) == n_rows
    assert read(store)["outcome_score"].null_count == 0
    assert read(store).num_rows == n_rows


def test_failure_11_nobody_reads_the_training_data_of_others(project, store):
    take_in(store, [interaction(number, agent_id=agent) for number, agent in enumerate([AGENT_A, AGENT_A, AGENT_B])])

    anonymous = ask(project)
    assert (anonymous.status_code, anonymous.json()["code"]) == (401, "42501")
    assert ask(project, AGENT_A).json() == [{"agent_id": AGENT_A}] * 2
    assert ask(project, AGENT_B).json() == [{"agent_id": AGENT_B}]
    assert ask(project, "00000000-0000-4000-8000-00000000000c").json() == []


def test_an_import_that_breaks_off_between_its_pages_shows_nothing_and_the_next_one_takes_all_in(project, store):
    rows = [interaction(number) for number in range(1200)]

    def breaking():
        yield from stream(rows[:700]).batches
        raise InputError("the file ends too early")

    with pytest.raises(InputError, match="ends too early"):
        store.interactions.import_interactions(InteractionStream("real", breaking(), "broken"), now=NOW)
    with psycopg.connect(project.owner_dsn) as connection:
        assert connection.execute("select count(*) from public.incoming_rows").fetchone() == (500,)
    assert store.interactions.label_watermark() == "supabase:0/0"

    assert take_in(store, rows).n_new == 1200


class EveryWriteTwice(Calls):
    """Calls whose first answer is lost each time, where sending again is said to be safe."""

    def execute(self, operation, table, build, *, repeat):
        if repeat == "keyed":
            super().execute(operation, table, build, repeat=repeat)
        return super().execute(operation, table, build, repeat=repeat)


def test_an_import_whose_every_answer_is_lost_once_is_the_same_import(project):
    connection = SupabaseConnection(project.url, project.keys.secret)
    with EveryWriteTwice(connection, random=np.random.default_rng(1)) as calls:
        report = take_in(supabase_store(calls), [interaction(number) for number in range(700)])
        assert (report.n_new, report.n_unchanged, report.n_repeated, report.n_new_labels) == (700, 0, 0, 700)
        assert supabase_store(calls).interactions.label_watermark() == "supabase:700/700"


def test_several_importing_the_same_at_once_take_it_in_once(project):
    rows = [interaction(number) for number in range(600)]
    reports = []

    def run():
        with Calls(SupabaseConnection(project.url, project.keys.secret), random=np.random.default_rng(1)) as calls:
            reports.append(take_in(supabase_store(calls), rows))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(report.n_new for report in reports) == [0, 0, 600]
    assert sorted(report.n_unchanged for report in reports) == [0, 600, 600]


def test_a_watermark_of_another_store_is_refused(store):
    take_in(store, [interaction(0)])
    for ask_for in (store.interactions.read_interactions, store.interactions.count_labels_after):
        with pytest.raises(InputError, match="'1/1' is not a watermark of a store of kind 'supabase'"):
            ask_for("1/1")
