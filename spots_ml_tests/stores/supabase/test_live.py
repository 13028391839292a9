"""The store against a hosted Supabase project: what the local one cannot prove.

SUPABASE_LIVE_URL and SUPABASE_LIVE_KEY name a project that has the migrations, and the key of its service role;
SUPABASE_LIVE_DSN its Postgres, for direct reads. Rows are written under a prefix of their own and deleted afterwards.
A project that holds other interactions is left alone, unless SUPABASE_LIVE_SHARED is 1: the numbers of arrival that
these rows took are not given back.
"""

import os
import uuid

import numpy as np
import pytest

from spots_ml.digests import digest_bytes
from spots_ml.stores.supabase.postgres.bulk_read import DirectReads
from spots_ml.stores.supabase.storage.bucket import Bucket
from spots_ml.stores.supabase.storage.model_files import BUCKET
from spots_ml.stores.supabase.store import supabase_store
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.connection import SupabaseConnection
from spots_ml.stores.supabase.transport.paging import Filter, KeysetRead, count_rows, read_pages
from spots_ml.stores.supabase.transport.refusals import AccessError
from spots_ml_tests.stores.keeping_interactions import interaction, read, take_in

pytestmark = pytest.mark.live

PREFIX = "spots_ml live test "
TABLE = "calling_score_training_data"
MAX_ROWS = 1000


@pytest.fixture(scope="module")
def connection():
    url, key = os.environ.get("SUPABASE_LIVE_URL"), os.environ.get("SUPABASE_LIVE_KEY")
    if not url or not key:
        pytest.skip("no hosted project: set SUPABASE_LIVE_URL and SUPABASE_LIVE_KEY")
    return SupabaseConnection(url, key)


@pytest.fixture(scope="module")
def calls(connection):
    with Calls(connection, random=np.random.default_rng()) as calls:
        if os.environ.get("SUPABASE_LIVE_SHARED") != "1":
            others = calls.execute(
                "look for rows of others",
                TABLE,
                lambda client: client.from_(TABLE).select("id").not_.like("agent_id", f"{PREFIX}%").limit(1),
                repeat="read",
            ).data
            if others:
                pytest.fail(f"{connection.host} holds rows of others; set SUPABASE_LIVE_SHARED=1 if that is meant")
        yield calls


@pytest.fixture
def prefix(calls):
    """What the agents' names of this test begin with."""
    prefix = f"{PREFIX}{uuid.uuid4()} "
    yield prefix
    calls.execute(
        "delete the rows of this test",
        TABLE,
        lambda client: client.from_(TABLE).delete().like("agent_id", f"{prefix}%"),
        repeat="keyed",
    )


def rows_of(prefix, n):
    return [interaction(number, agent_id=f"{prefix}{number % 7}", labelled=number % 3 > 0) for number in range(n)]


def ours(table, prefix):
    return [
        {name: value for name, value in row.items() if name != "position"}
        for row in table.to_pylist()
        if (row["agent_id"] or "").startswith(prefix)
    ]


def test_what_was_imported_is_counted_and_read_back_bit_by_bit(calls, prefix):
    store, rows = supabase_store(calls), rows_of(prefix, 30)
    before = store.interactions.label_watermark()

    report, again = take_in(store, rows), take_in(store, rows)

    assert (report.n_new, report.n_new_labels) == (30, 20)
    assert (again.n_new, again.n_updated, again.n_unchanged) == (0, 0, 30)
    assert store.interactions.count_labels_after(before) >= 20
    known = [
        {name: row.get(name) for name in read_row}
        for row, read_row in zip(rows, ours(read(store), prefix), strict=True)
    ]
    assert ours(read(store), prefix) == known


def test_the_cap_of_the_api_cuts_no_reading(calls, prefix):
    take_in(supabase_store(calls), rows_of(prefix, MAX_ROWS + 7))
    mine = KeysetRead(
        TABLE, ("id",), ("id",), Filter("agent_id", "lt", f"{prefix}~"), (Filter("agent_id", "gte", prefix),)
    )

    pages = [len(page) for page in read_pages(calls, mine, page_rows=5_000)]

    assert max(pages) == MAX_ROWS and sum(pages) == count_rows(calls, mine) == MAX_ROWS + 7


def test_versions_are_listed_with_their_history(calls):
    store = supabase_store(calls)

    listed = {(one.model_type, one.version) for one in store.versions.list_versions()}
    assert listed <= {(change.model_type, change.version) for change in store.versions.history()}


def test_a_file_goes_to_storage_and_comes_back(calls):
    bucket, content = Bucket(calls, BUCKET), uuid.uuid4().bytes * 10_000
    path = f"live_test/{digest_bytes(content)}"
    try:
        assert not bucket.exists(path)
        for _ in range(2):
            bucket.put(path, content, content_type="application/octet-stream")
        assert bucket.exists(path)
        assert bucket.get(path, sha256=digest_bytes(content)) == content
    finally:
        calls.execute_storage("remove a file", BUCKET, path, lambda files: files.remove([path]), repeat="keyed")
    assert not bucket.exists(path)


def test_direct_reads_see_what_the_api_sees(calls, prefix):
    dsn = os.environ.get("SUPABASE_LIVE_DSN")
    if not dsn:
        pytest.skip("no direct connection: set SUPABASE_LIVE_DSN")
    take_in(supabase_store(calls), rows_of(prefix, 50))

    assert ours(read(supabase_store(calls, DirectReads(dsn))), prefix) == ours(read(supabase_store(calls)), prefix)


def test_a_key_of_nobody_is_refused_in_words(connection):
    nobody = SupabaseConnection(connection.url, f"sb_secret_{'0' * 31}")
    with (
        Calls(nobody, random=np.random.default_rng()) as calls,
        pytest.raises(AccessError, match="set a key of this very project"),
    ):
        supabase_store(calls).interactions.label_watermark()
