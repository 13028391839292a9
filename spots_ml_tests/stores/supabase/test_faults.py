"""Whatever breaks on the way to a project, nothing is lost, nothing doubled, nothing half visible."""

import itertools

import numpy as np
import pytest

from spots_ml.digests import digest_bytes
from spots_ml.scoring.decision_log.log import LogReport
from spots_ml.stores.supabase import staging
from spots_ml.stores.supabase.staging import send_batch
from spots_ml.stores.supabase.storage.bucket import Bucket
from spots_ml.stores.supabase.store import supabase_store
from spots_ml.stores.supabase.transport import paging
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.connection import SupabaseConnection
from spots_ml.stores.supabase.transport.paging import Filter, KeysetRead, read_pages
from spots_ml.stores.supabase.transport.refusals import UnavailableError
from spots_ml.stores.supabase.transport.retries import RetryPolicy
from spots_ml_tests.stores.keeping_decisions import EVER, decided, log
from spots_ml_tests.stores.keeping_interactions import interaction, read, take_in
from spots_ml_tests.stores.supabase.cutting_proxy import CuttingProxy

ATTEMPTS = RetryPolicy().attempts
PAGE_ROWS = 40
WHOLE_CALL = {"sent": 110_000, "received": 110_000}
"""More bytes than any call here sends or receives."""


def cuts(random):
    """Up to two attempts less than a call has are cut early; the next connection lasts for a call at least."""
    while True:
        for _ in range(random.integers(1, ATTEMPTS - 1)):
            yield WHOLE_CALL | {str(random.choice(["sent", "received"])): int(10 ** random.uniform(0, 5))}
        yield WHOLE_CALL


@pytest.fixture
def through(project, monkeypatch):
    """Make calls to the project through a proxy that cuts connections."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(staging, "_PAGE_ROWS", PAGE_ROWS)
    monkeypatch.setattr(paging.read_pages, "__kwdefaults__", {"page_rows": PAGE_ROWS})
    opened = []

    def open_calls(allowances):
        proxy = CuttingProxy(project.url, allowances)
        calls = Calls(
            SupabaseConnection(proxy.url, project.keys.secret),
            random=np.random.default_rng(0),
            sleep=lambda _: None,
        )
        opened.extend([proxy.__enter__(), calls])
        return proxy, calls

    yield open_calls
    for one in reversed(opened):
        one.__exit__()


@pytest.mark.parametrize("seed", range(4))
def test_rows_and_files_survive_any_cut(project, through, seed):
    random = np.random.default_rng(seed)
    proxy, calls = through(cuts(random))
    items = [
        {"number": number, "text": "ä" * int(random.integers(300))} for number in range(random.integers(300, 1000))
    ]
    file = random.bytes(int(random.integers(100_000)))
    bucket, path = Bucket(calls, "models"), f"faults/{digest_bytes(file)}"

    batch = send_batch(calls, items)
    bucket.put(path, file, content_type="application/octet-stream")
    mine = Filter("batch", "eq", batch.id)
    sent = KeysetRead(
        "incoming_rows", ("position", "item"), ("position",), Filter("position", "lt", str(batch.n_rows)), (mine,)
    )
    back = list(itertools.chain.from_iterable(read_pages(calls, sent)))

    assert back == [{"position": position, "item": item} for position, item in enumerate(items)]
    assert bucket.get(path, sha256=digest_bytes(file)) == file
    assert proxy.n_cuts > 3
    with project.server.connect(project.database) as connection:
        waiting = connection.execute("select count(*) from public.incoming_rows").fetchone()
    assert waiting == (len(items),)


@pytest.mark.parametrize("seed", range(2))
def test_an_import_survives_any_cut_and_each_interaction_is_known_once(project, through, embedded, seed):
    rows = [interaction(number, labelled=number % 3 > 0) for number in range(400)]
    proxy, calls = through(cuts(np.random.default_rng(seed)))
    store = supabase_store(calls)

    reports = [take_in(store, rows[:250]), take_in(store, rows)]

    assert reports == [take_in(embedded, rows[:250]), take_in(embedded, rows)]
    assert read(store).equals(read(embedded))
    assert store.interactions.count_labels_after(None) == embedded.interactions.count_labels_after(None)
    assert proxy.n_cuts > 3


@pytest.mark.parametrize("seed", range(2))
def test_decisions_survive_any_cut_and_each_is_logged_once(project, through, embedded, seed):
    table = decided(*range(300))
    proxy, calls = through(cuts(np.random.default_rng(seed)))
    store = supabase_store(calls)
    log(embedded, table)

    assert log(store, table.slice(0, 200)) == LogReport(n_new=200, n_known=0)
    assert log(store, table) == LogReport(n_new=100, n_known=200)
    assert store.decisions.read_decisions(*EVER).equals(embedded.decisions.read_decisions(*EVER))
    assert proxy.n_cuts > 3


@pytest.mark.parametrize("n_bytes", [0, 1, 300, 5_000, 40_000, 99_000])
def test_an_upload_that_is_never_let_through_leaves_no_file(project, through, calls_past_it, n_bytes):
    file = np.random.default_rng(n_bytes).bytes(100_000)
    path = f"faults/{digest_bytes(file)}"
    _, calls = through(itertools.repeat({"sent": n_bytes}))

    with pytest.raises(UnavailableError, match=rf"could not upload a file .*{path}.*sent {ATTEMPTS} times"):
        Bucket(calls, "models").put(path, file, content_type="application/octet-stream")

    past_it = Bucket(calls_past_it, "models")
    assert not past_it.exists(path)
    past_it.put(path, file, content_type="application/octet-stream")
    assert past_it.get(path, sha256=digest_bytes(file)) == file


@pytest.mark.parametrize("n_bytes", [0, 1, 100])
def test_an_upload_whose_answers_are_all_lost_can_be_made_again(project, through, calls_past_it, n_bytes):
    file = np.random.default_rng(n_bytes + 7).bytes(100_000)
    path = f"faults/{digest_bytes(file)}"
    _, calls = through(itertools.repeat({"received": n_bytes}))

    with pytest.raises(UnavailableError, match="unknown whether the change was made"):
        Bucket(calls, "models").put(path, file, content_type="application/octet-stream")

    Bucket(calls_past_it, "models").put(path, file, content_type="application/octet-stream")


@pytest.fixture
def calls_past_it(project):
    """Calls straight to the project."""
    with Calls(SupabaseConnection(project.url, project.keys.secret), random=np.random.default_rng(0)) as calls:
        yield calls
