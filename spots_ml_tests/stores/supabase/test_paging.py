import itertools
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spots_ml.stores.supabase.transport.paging import Filter, IncompleteReadError, KeysetRead, count_rows, read_pages
from spots_ml.stores.supabase.transport.refusals import UnavailableError
from spots_ml_tests.stores.supabase import scripted_server as script

READ = KeysetRead("labels", ("at", "id", "score"), ("at", "id"), Filter("at", "lte", "2026-11-20T00:00:00+00:00"))
BY_ID = KeysetRead("labels", ("id", "score"), ("id",), Filter("id", "lte", "1000000"))

FAULTS = [
    script.reset_before_headers,
    script.reset_after_headers,
    script.closed_without_answer,
    script.body_cut,
    script.body_cut_unnoticed,
    script.refuse(500),
    script.refuse(429, Retry_After="3"),
]


def rows(n, *, day=1):
    """Many share a moment, so that a page ends in the middle of it."""
    return [{"at": f"2026-11-{day + i // 7 % 9:02}T00:00:00+00:00", "id": i, "score": i / 7} for i in range(n)]


def everything(calls, read=READ, **options):
    return list(itertools.chain.from_iterable(read_pages(calls, read, **options)))


def in_order(some):
    return sorted(some, key=lambda row: (row["at"], row["id"]))


@pytest.mark.parametrize("n", [0, 1, 9, 10, 11, 95])
def test_all_rows_come_once_in_the_order_of_the_key(server, calls, n):
    server.rows = rows(n)

    assert everything(calls, page_rows=10) == in_order(server.rows)


def test_rows_after_the_cutoff_and_rows_that_a_filter_leaves_out_do_not_come(server, calls):
    server.rows = rows(40) + [{**row, "id": row["id"] + 100} for row in rows(40, day=21)]
    read = KeysetRead("labels", READ.columns, READ.key, READ.cutoff, (Filter("score", "gt", "3"),))

    assert everything(calls, read, page_rows=10) == in_order(row for row in rows(40) if row["score"] > 3)
    assert count_rows(calls, read) == 18


def test_the_silent_cap_of_the_server_does_not_cut_what_is_read(server, calls):
    server.rows = rows(2_500)

    pages = list(read_pages(calls, READ, page_rows=5_000))

    assert [len(page) for page in pages] == [1_000, 1_000, 500]
    assert list(itertools.chain.from_iterable(pages)) == in_order(server.rows)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    n=st.integers(0, 60),
    page_rows=st.integers(1, 20),
    caps=st.lists(st.integers(1, 20), max_size=8),
    faults=st.lists(st.lists(st.sampled_from(FAULTS), max_size=3), max_size=8),
)
def test_whatever_breaks_between_and_in_pages_nothing_is_lost_or_doubled(server, calls, n, page_rows, caps, faults):
    server.rows = rows(n)
    server.page_caps.clear()
    server.page_caps.extend(caps)
    server.faults.clear()
    # At most three faults, one less than attempts, before every good answer.
    server.faults.extend(fault for group in faults for fault in (*group, script.behave))

    assert everything(calls, page_rows=page_rows) == in_order(server.rows)


@pytest.mark.parametrize("value", ['a"b', "a\\", "a,b)", "ä (1)", "a.b:c", "and(", "a%2Bb+c d"])
def test_keys_of_any_text_are_quoted(server, calls, value):
    server.rows = [{"at": text, "id": f"{text}{i}", "score": 0.5} for text in ("", value, "~") for i in range(3)]
    read = KeysetRead("labels", ("at", "id"), ("at", "id"), Filter("at", "lte", "\U0010ffff"))

    assert [row["id"] for row in everything(calls, read, page_rows=2)] == sorted(row["id"] for row in server.rows)


def test_a_server_that_stays_away_ends_the_reading(server, calls):
    server.rows = rows(30)
    pages = read_pages(calls, READ, page_rows=10)
    next(pages)
    server.faults.extend([script.reset_before_headers] * 4)

    with pytest.raises(UnavailableError, match=r"could not read a page of rows \(labels at 127.*sent 4 times"):
        next(pages)


def test_missing_rows_are_an_error(server, calls):
    server.rows = rows(30)
    server.told_count = 31

    with pytest.raises(IncompleteReadError, match="30 rows came, 31 were counted before and 31 after"):
        everything(calls, page_rows=10)


@pytest.mark.parametrize("counted", [29, 20, 0])
def test_surplus_rows_are_an_error_on_the_edge_of_a_page_too(server, calls, counted):
    server.rows = rows(30)
    server.told_count = counted

    with pytest.raises(IncompleteReadError, match="rows are surplus"):
        everything(calls, page_rows=10)


def test_a_row_that_arrives_late_under_the_cutoff_is_an_error(server, calls):
    server.rows = rows(30)
    pages = read_pages(calls, READ, page_rows=10)
    next(pages)
    server.rows.append({"at": "2026-10-01T00:00:00+00:00", "id": 99, "score": 0.0})

    with pytest.raises(IncompleteReadError, match="30 were counted before and 31 after, which no deletion explains"):
        list(pages)


@pytest.mark.parametrize("gone", [3, 25], ids=["behind", "ahead"])
def test_rows_that_are_deleted_while_they_are_read_are_no_error(server, calls, gone):
    server.rows = rows(30)
    pages = read_pages(calls, BY_ID, page_rows=10)
    read = [*next(pages)]
    server.rows = [row for row in server.rows if row["id"] != gone]

    read += itertools.chain.from_iterable(pages)
    assert [row["id"] for row in read] == [number for number in range(30) if number != gone or gone < 10]


def test_a_key_that_is_not_unique_is_an_error(server, calls):
    server.rows = [{**row, "id": row["id"] // 2} for row in rows(10)]

    with pytest.raises(IncompleteReadError, match="a row came twice"):
        everything(calls, BY_ID, page_rows=4)


def test_a_server_that_sends_the_first_page_again_is_found_out(server, calls):
    server.rows = rows(30)
    first = calls_page(server)
    server.faults.extend([script.behave, script.behave, script.refuse(200, first, Content_Type="application/json")])

    with pytest.raises(IncompleteReadError, match="a row came twice"):
        everything(calls, page_rows=10)


def calls_page(server):
    return server.page([("select", "at,id,score"), ("order", "at.asc,id.asc"), ("limit", "10")])


@pytest.mark.parametrize("key", [None, 0.5, True, ["a"]])
def test_a_key_that_cannot_be_continued_from_is_an_error(server, calls, key):
    server.faults.extend([script.refuse(200, Content_Range="*/1"), script.refuse(200, [{"id": key, "score": 1}])])

    with pytest.raises(IncompleteReadError, match="expected texts or whole numbers"):
        everything(calls, BY_ID)


@pytest.mark.parametrize("answer", [{"message": "hello"}, 7, [1, 2]])
def test_an_answer_that_is_no_list_of_rows_is_an_error(server, calls, answer):
    server.faults.extend([script.refuse(200, Content_Range="*/1"), script.refuse(200, answer)])

    with pytest.raises(IncompleteReadError, match="the answer is no list of rows"):
        everything(calls)


@pytest.mark.parametrize("told", [{}, {"Content_Range": "*/*"}])
def test_a_count_that_is_not_told_is_an_error(server, calls, told):
    server.faults.append(script.refuse(200, **told))

    with pytest.raises(IncompleteReadError, match="told no exact count"):
        count_rows(calls, READ)


def test_a_key_outside_the_columns_and_a_cutoff_that_is_none_are_refused():
    with pytest.raises(ValueError, match="not among the columns"):
        KeysetRead("labels", ("score",), ("id",), READ.cutoff)
    with pytest.raises(ValueError, match="no upper bound"):
        KeysetRead("labels", ("id",), ("id",), Filter("id", "gte", "1"))


def test_memory_is_bounded_by_a_page(server, calls):
    def peak(n):
        server.rows = [{"id": i, "score": "x" * 200} for i in range(n)]
        n_read = 0
        pages = read_pages(calls, BY_ID, page_rows=200)
        n_read += len(next(pages))
        tracemalloc.start()
        for page in pages:
            n_read += len(page)
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert n_read == n
        return highest

    # The server runs in the same process: its sorted copies are pointers, its pages are of the same size.
    assert peak(4_000) < 1.5 * peak(1_000)
