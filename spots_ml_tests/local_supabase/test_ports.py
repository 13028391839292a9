"""Ports of the loopback interface."""

import socket

import pytest

from spots_ml.local_supabase.errors import LocalStackError
from spots_ml.local_supabase.ports import declared_ports, free_port, require_free


def test_a_port_on_which_somebody_listens_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(
            LocalStackError, match=rf"port {port} is taken.*SUPABASE_OPTIONS='--api-port {port + 1000}'"
        ):
            require_free(port, "--api-port")


def test_a_port_that_is_an_end_of_a_connection_is_taken():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        server.accept()[0],
        pytest.raises(LocalStackError, match="or for a minute by a connection"),
    ):
        require_free(client.getsockname()[1], "--api-port")


def test_a_free_port_is_free():
    require_free(free_port(), "--api-port")


def test_the_ports_are_those_of_the_supabase_cli():
    assert declared_ports() == (54_321, 54_322)
