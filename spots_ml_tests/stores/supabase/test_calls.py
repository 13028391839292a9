import gc
import logging
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from spots_ml.errors import ConfigError, InputError, SpotsMLError
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.connection import SupabaseConnection
from spots_ml.stores.supabase.transport.refusals import (
    AccessError,
    ConflictError,
    MissingNameError,
    RequestRefusedError,
    UnavailableError,
)
from spots_ml_tests.stores.supabase import scripted_server as script
from spots_ml_tests.stores.supabase.scripted_server import KEY

LOSSES = [
    script.reset_before_headers,
    script.reset_after_headers,
    script.closed_without_answer,
    script.body_cut_unnoticed,
    script.refuse(200),
    script.refuse(500),
    script.refuse(502),
    script.refuse(503),
    script.refuse(504),
]


def read(calls):
    return calls.execute("read", "labels", lambda client: client.from_("labels").select("id"), repeat="read").data


def write(calls, repeat):
    def build(client):
        return client.from_("labels").upsert({"id": 1}, on_conflict="id")

    return calls.execute("add a label", "labels", build, repeat=repeat)


@pytest.mark.parametrize("fault", [*LOSSES, script.body_cut, script.refuse(429)])
def test_reading_is_repeated_until_it_succeeds(server, calls, waits, fault):
    server.rows = [{"id": 1}, {"id": 2}]
    server.faults.extend([fault] * 3)

    assert read(calls) == [{"id": 1}, {"id": 2}]
    assert len(server.requests) == 4 and len(waits) == 3


@pytest.mark.parametrize("fault", [script.applied_then_reset, *LOSSES, script.refuse(429)])
def test_a_call_that_harms_twice_is_sent_once(server, calls, waits, fault):
    server.faults.append(fault)

    with pytest.raises(SpotsMLError):
        write(calls, "once")

    assert server.methods() == ["POST"]
    assert waits == []


@pytest.mark.parametrize(
    ("repeat", "told"),
    [("keyed", "the same once more changes nothing"), ("once", "changes it twice where it was made")],
)
def test_a_function_that_answers_nothing_is_told_and_whether_it_may_be_asked_again(server, calls, repeat, told):
    server.faults.extend([script.refuse(200)] * 4)

    with pytest.raises(UnavailableError, match="the answer is empty; expected JSON") as caught:
        calls.execute("promote", "promote", lambda client: client.rpc("promote", {"p_at": "now"}), repeat=repeat)
    assert told in str(caught.value) and "unknown whether the change was made" in str(caught.value)


def test_a_write_that_was_made_before_the_connection_broke_is_not_made_again_and_says_so(server, calls):
    server.faults.append(script.applied_then_reset)

    with pytest.raises(UnavailableError, match="unknown whether the change was made") as caught:
        write(calls, "once")

    assert server.applied == [{"id": 1}]
    assert caught.value.may_have_applied


@pytest.mark.parametrize("fault", [script.applied_then_reset, *LOSSES])
def test_a_write_with_a_key_is_repeated(server, calls, fault):
    server.faults.append(fault)

    write(calls, "keyed")

    assert server.applied[-1] == {"id": 1}
    assert server.methods() == ["POST", "POST"]


def test_a_conflict_after_a_lost_answer_says_that_it_may_be_our_own(server, calls):
    server.faults.extend([script.applied_then_reset, script.refuse(409, {"code": "23505", "message": "duplicate"})])

    with pytest.raises(ConflictError, match="an earlier attempt") as caught:
        write(calls, "keyed")

    assert (caught.value.attempts, caught.value.may_have_applied) == (2, True)


@pytest.mark.parametrize("repeat", ["keyed", "once"])
def test_a_refused_write_was_not_made(server, calls, repeat):
    server.faults.extend([script.refuse(429)] * 4)

    with pytest.raises(UnavailableError) as caught:
        write(calls, repeat)

    assert not caught.value.may_have_applied


@pytest.mark.parametrize(
    ("status", "body", "kind", "told"),
    [
        (401, {"code": "PGRST303", "message": "JWT expired"}, AccessError, "JWT expired; the key has expired"),
        (401, {"message": "Invalid API key"}, AccessError, "key is not accepted"),
        (401, {"code": "42501", "message": "permission denied for table labels"}, AccessError, "no grant"),
        (403, {"code": "42501", "message": "permission denied for table labels"}, AccessError, "no grant"),
        (404, {"code": "PGRST205", "message": "no table"}, MissingNameError, "supabase/migrations"),
        (404, {"code": "PGRST202", "message": "no function"}, MissingNameError, "supabase/migrations"),
        (400, {"code": "42703", "message": "column labels.x does not exist"}, MissingNameError, "supabase/migrations"),
        (409, {"code": "23505", "message": "duplicate", "details": "Key (id)=(1)"}, ConflictError, r"Key \(id\)=\(1\)"),
        (400, {"code": "23514", "message": "check", "details": "Failing row: Ann"}, ConflictError, "check; correct"),
        (500, {"code": "57014", "message": "canceling statement"}, UnavailableError, "took longer than the project"),
        (413, b"<html>too large</html>", RequestRefusedError, "send fewer rows"),
        (400, {"code": "22P02", "message": "invalid input syntax"}, RequestRefusedError, "22P02 invalid input"),
        (302, b"", RequestRefusedError, "redirects are not followed"),
    ],
)
def test_a_refusal_says_what_where_and_what_to_do_and_is_not_repeated(server, calls, waits, status, body, kind, told):
    server.faults.append(script.refuse(status, body, Location="http://127.0.0.1:1/"))

    with pytest.raises(kind, match=told) as caught:
        read(calls)

    assert "could not read (labels at 127.0.0.1" in str(caught.value)
    assert f"HTTP {status}" in str(caught.value)
    assert "Ann" not in str(caught.value)
    assert len(server.requests) == 1 and waits == []


def test_errors_are_of_the_projects_family():
    assert issubclass(AccessError, ConfigError) and issubclass(MissingNameError, ConfigError)
    assert issubclass(ConflictError, InputError) and issubclass(RequestRefusedError, InputError)
    assert issubclass(UnavailableError, SpotsMLError)


def test_the_waits_double_with_jitter(server, calls, waits):
    server.faults.extend([script.refuse(503)] * 3)

    read(calls)

    assert all(low <= wait <= 2 * low for wait, low in zip(waits, (0.25, 0.5, 1.0), strict=True))


@pytest.mark.parametrize("status", [429, 503])
def test_the_server_says_how_long_to_wait(server, calls, waits, status):
    server.faults.append(script.refuse(status, Retry_After="17"))

    read(calls)

    assert 17 <= waits[0] < 18


def test_a_server_that_asks_for_hours_is_not_asked_again(server, calls, waits):
    server.faults.append(script.refuse(429, Retry_After="7200"))

    with pytest.raises(UnavailableError, match=r"asks to wait 7200 s"):
        read(calls)

    assert waits == []


def test_nobody_at_the_address(calls, waits):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        connection = SupabaseConnection(f"http://127.0.0.1:{taken.getsockname()[1]}", KEY)
        with (
            Calls(connection, random=np.random.default_rng(0), sleep=waits.append) as elsewhere,
            pytest.raises(UnavailableError, match=r"ConnectError.*sent 6 times; check the network") as caught,
        ):
            write(elsewhere, "keyed")
    assert not caught.value.may_have_applied


def test_a_hanging_server_ends_in_a_timeout(server, impatient, waits):
    server.faults.extend([script.hang] * 4)

    with pytest.raises(UnavailableError, match=r"ReadTimeout.*sent 4 times"):
        read(impatient)

    assert server.methods() == ["GET"] * 4 and len(waits) == 3


def test_a_hanging_write_is_sent_once(server, impatient, waits):
    server.faults.append(script.hang)

    with pytest.raises(UnavailableError, match=r"ReadTimeout.*unknown whether the change was made"):
        write(impatient, "once")

    assert server.methods() == ["POST"] and waits == []


def test_a_write_is_no_read(server, calls):
    with pytest.raises(ValueError, match="is said to read, but sends POST"):
        write(calls, "read")
    assert server.requests == []


def test_the_key_is_in_no_representation_message_or_log(server, caplog):
    caplog.set_level(logging.DEBUG)
    told = {"message": f"bad key {KEY}", "hint": KEY}
    server.faults.extend([script.behave, script.refuse(401, told)])
    with Calls(SupabaseConnection(server.url, KEY), random=np.random.default_rng(0)) as calls:
        read(calls)
        with pytest.raises(AccessError) as caught:
            read(calls)
        calls.execute_storage("upload", "models", "a", lambda bucket: bucket.upload("a", b""), repeat="keyed")
        assert KEY not in repr(calls.connection) + str(caught.value) + repr(caught.value) + caplog.text


@pytest.mark.parametrize(
    ("url", "key", "told"),
    [
        ("http://project.supabase.co", KEY, "in the clear"),
        ("project.supabase.co", KEY, "expected the project's address"),
        ("https://", KEY, "expected the project's address"),
        ("https://me:secret@project.supabase.co", KEY, "holds a user"),
        ("https://project.supabase.co:port", KEY, "cannot be read"),
        ("https://project.supabase.co/rest/v1/", KEY, "has a path"),
        ("https://project.supabase.co", "", "copy it again"),
        ("https://project.supabase.co", f"{KEY}\n", "copy it again"),
    ],
)
def test_an_address_or_key_that_is_none_is_refused_without_telling_the_key(url, key, told):
    with pytest.raises(ConfigError, match=told) as caught:
        SupabaseConnection(url, key)
    assert KEY not in str(caught.value) and "secret@" not in str(caught.value)


def test_all_problems_of_a_connection_are_told_at_once():
    with pytest.raises(ConfigError, match=r"address.*key.*read_timeout_s is 0"):
        SupabaseConnection("", "", read_timeout_s=0)


def in_child(calls):
    os._exit(0 if read(calls) == [{"id": 1}] else 1)


def test_a_forked_process_opens_its_own_connection(server, calls):
    server.rows = [{"id": 1}]
    read(calls)
    child = multiprocessing.get_context("fork").Process(target=in_child, args=(calls,))
    child.start()
    child.join()

    assert child.exitcode == 0
    assert read(calls) == [{"id": 1}]
    before, in_the_child, after = server.peers
    assert before == after != in_the_child


@pytest.mark.parametrize("key", [KEY, "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.c2lnbmF0dXJl"])
def test_both_headers_carry_the_key_whichever_kind_it_is(server, monkeypatch, key):
    monkeypatch.setattr(script, "KEY", key)
    with Calls(SupabaseConnection(server.url, key), random=np.random.default_rng(0)) as calls:
        read(calls)
        calls.execute_storage("list", "models", "", lambda bucket: bucket.upload("a", b""), repeat="keyed")

    for headers in server.headers:
        told = {name.lower(): value for name, value in headers.items()}
        assert (told["apikey"], told["authorization"]) == (key, f"Bearer {key}")


def test_data_and_files_share_one_connection_and_no_thread_runs(server, calls):
    before = threading.active_count()
    read(calls)
    calls.execute_storage("upload", "models", "a", lambda bucket: bucket.upload("a", b""), repeat="keyed")

    assert len(set(server.peers)) == 1
    # The server has one thread for each connection.
    assert threading.active_count() == before + 1


def test_calls_that_are_dropped_leave_no_connection_open(server):
    calls = Calls(SupabaseConnection(server.url, KEY), random=np.random.default_rng(0))
    read(calls)
    assert server.open_connections() == 1

    del calls
    gc.collect()

    deadline = time.monotonic() + 5
    while server.open_connections() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.open_connections() == 0


def test_calls_that_were_closed_open_again(server, calls):
    read(calls)
    calls.close()
    calls.close()
    read(calls)

    assert len(set(server.peers)) == 2


def test_a_mistake_of_the_program_is_no_fault_of_the_server(server, calls):
    with pytest.raises(KeyError):
        calls.execute("read", "labels", lambda client: {}["request"], repeat="read")
    assert server.requests == []


def test_importing_loads_no_client():
    program = (
        "import sys, spots_ml.stores.supabase.store\n"
        "sys.exit(bool({'httpx', 'postgrest', 'storage3', 'supabase'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
