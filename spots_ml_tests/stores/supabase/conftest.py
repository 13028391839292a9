"""A scripted server, one with a running project behind it, and calls to them that wait for nobody."""

import numpy as np
import pytest

from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.connection import SupabaseConnection
from spots_ml.stores.supabase.transport.retries import RetryPolicy
from spots_ml_tests.stores.supabase.relay import Relay
from spots_ml_tests.stores.supabase.scripted_server import KEY, ScriptedServer


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def waits():
    """The seconds that were waited between attempts."""
    return []


@pytest.fixture
def calls(server, waits):
    with opened(server, waits, read_timeout_s=60.0) as ready:
        yield ready


@pytest.fixture
def impatient(server, waits):
    """Calls that do not wait for an answer for long."""
    with opened(server, waits, read_timeout_s=0.3) as ready:
        yield ready


@pytest.fixture
def relay(project, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Relay(project.url) as running:
        yield running


@pytest.fixture
def relayed(relay, project, waits):
    """Calls to the project through the relay."""
    with opened(relay, waits, read_timeout_s=60.0, key=project.keys.secret) as ready:
        yield ready


def opened(server, waits, *, read_timeout_s, key=KEY):
    connection = SupabaseConnection(server.url, key, read_timeout_s=read_timeout_s)
    return Calls(connection, random=np.random.default_rng(0), policy=RetryPolicy(attempts=4), sleep=waits.append)
