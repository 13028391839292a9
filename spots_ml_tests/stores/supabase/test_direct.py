"""Bulk reads straight from Postgres: one snapshot, read only, closed whatever happens, told without the password."""

import time

import pytest

from spots_ml.errors import ConfigError
from spots_ml.local_supabase.postgres import ADMIN
from spots_ml.stores.supabase.postgres.bulk_read import DirectReads
from spots_ml.stores.supabase.transport.refusals import (
    AccessError,
    CallError,
    MissingNameError,
    RequestRefusedError,
    UnavailableError,
)
from spots_ml_tests.database.roles import insert, interaction

PASSWORD = "se%25cret"
LONG = "select n, repeat('x', 1000) as text from generate_series(1, 100000) as n"


@pytest.fixture
def direct(local_project):
    return DirectReads(local_project.dsn)


def rows(batches):
    return [row for batch in batches for row in batch.to_pylist()]


def n_connections(project):
    with project.server.connect(project.database, ADMIN) as connection:
        return connection.execute(
            "select count(*) from pg_stat_activity where application_name = 'spots_ml' and datname = current_database()"
        ).fetchone()[0]


def closes(project):
    """A server notices a connection's end a moment later."""
    deadline = time.monotonic() + 10
    while n_connections(project):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return True


def test_values_and_order_come_as_they_are(direct):
    found = rows(
        direct.read(
            "look",
            "numbers",
            "select n, n / 7::float8 as share, array[n, null]::float8[] as pair, 'é☕' as text "
            "from generate_series(3, 1, -1) as n",
        )
    )

    assert found == [{"n": n, "share": n / 7, "pair": [n, None], "text": "é☕"} for n in (3, 2, 1)]


def test_an_answer_without_rows_is_no_batch_with_rows(direct):
    assert rows(direct.read("look", "nothing", "select 1 as n where false")) == []


def test_every_read_is_one_read_only_snapshot_with_a_timeout(direct):
    told = "select " + ", ".join(
        f"current_setting('{name}') as {name}"
        for name in ("transaction_isolation", "transaction_read_only", "statement_timeout")
    )

    assert rows(direct.read("look", "settings", told)) == [
        {"transaction_isolation": "repeatable read", "transaction_read_only": "on", "statement_timeout": "30min"}
    ]


def test_nothing_can_be_written_even_as_the_owner(local_project):
    direct = DirectReads(local_project.owner_dsn)
    with pytest.raises(CallError, match="read-only transaction"):
        rows(direct.read("write", "t", "select nextval('public.decision_rows')"))


def test_reads_in_one_snapshot_agree_while_others_write(direct, project):
    count = "select count(*) as n from public.calling_score_training_data"
    with direct.consistent() as snapshot:
        before = rows(snapshot.read("count", "interactions", count))
        with project.server.connect(project.database, autocommit=True) as other:
            insert(other, "calling_score_training_data", **interaction())
        after = rows(snapshot.read("count", "interactions", count))

    assert before == after == [{"n": 0}]
    assert rows(direct.read("count", "interactions", count)) == [{"n": 1}]


def test_an_answer_comes_in_pieces_and_its_connection_ends_with_it(direct, local_project):
    batches = list(direct.read("read", "many", LONG))

    assert sum(batch.num_rows for batch in batches) == 100_000
    assert max(batch.nbytes for batch in batches) < 20_000_000 < sum(batch.nbytes for batch in batches)
    assert closes(local_project)


def test_a_dropped_answer_closes_its_connection(direct, local_project):
    batches = direct.read("read", "many", LONG)
    next(batches)
    assert n_connections(local_project) == 1

    del batches
    assert closes(local_project)


def test_a_connection_that_breaks_in_the_middle_is_told(direct, local_project):
    batches = direct.read("read", "many", LONG)
    next(batches)
    with local_project.server.connect(local_project.database, ADMIN, autocommit=True) as other:
        other.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where application_name = 'spots_ml' and datname = current_database()"
        )

    with pytest.raises(UnavailableError, match="could not read"):
        rows(batches)
    assert closes(local_project)


@pytest.mark.parametrize(
    ("statement", "error", "told"),
    [
        ("select * from public.nothing", MissingNameError, "apply the migrations"),
        ("select public.nothing()", MissingNameError, "apply the migrations"),
        ("selec", RequestRefusedError, "42601"),
        ("select 1 / 0", RequestRefusedError, "division by zero"),
    ],
)
def test_a_refusal_says_what_to_do_and_does_not_quote_the_statement(direct, statement, error, told):
    with pytest.raises(error, match=told) as caught:
        rows(direct.read("read the rows", "a table", f"{statement} /* agent 7 */"))

    assert str(caught.value).startswith("could not read the rows (a table at 127.0.0.1:")
    assert "agent 7" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_server_that_is_not_there_is_told_without_the_password(direct):
    gone = DirectReads(f"postgresql://someone:{PASSWORD}@127.0.0.1:1/postgres")

    with pytest.raises(UnavailableError, match="check the DSN, the network") as caught:
        rows(gone.read("look", "numbers", "select 1"))
    for text in (str(caught.value), repr(gone)):
        assert "se%25cret" not in text and "se%cret" not in text


def test_a_role_without_a_grant_is_told(direct, project):
    with project.server.connect(project.database, ADMIN, autocommit=True) as owner:
        owner.execute("create role direct_reader login")
        try:
            reader = DirectReads(project.server.url(project.database, "direct_reader"))
            with pytest.raises(AccessError, match="no grant"):
                rows(reader.read("read", "interactions", "select * from public.interactions"))
        finally:
            owner.execute("drop role direct_reader")


def test_a_read_joins_row_by_row_and_is_not_compiled(direct):
    names = "current_setting('jit'), current_setting('enable_hashjoin'), current_setting('enable_mergejoin')"
    assert rows(direct.read("look", "settings", f"select array[{names}] as told")) == [{"told": ["off", "off", "off"]}]


def test_the_transaction_pooler_is_refused_with_the_way_out():
    with pytest.raises(ConfigError, match="session pooler") as caught:
        DirectReads(f"postgresql://postgres.project:{PASSWORD}@pooler.supabase.com:6543/postgres")
    assert "cret" not in str(caught.value)
