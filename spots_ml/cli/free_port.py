"""Before `make dev`: is the port free at which its page is announced? Dagster would take another one in silence."""

import errno
import socket
import sys
from typing import Final

import click

_PORT: Final = 3000
_LOOPBACK: Final = "127.0.0.1"


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.option("-p", "--port", type=click.IntRange(0, 65_535), default=_PORT)
@click.option("-h", "--host", default=_LOOPBACK)
@click.argument("others", nargs=-1, type=click.UNPROCESSED)
def free_port_command(port: int, host: str, others: tuple[str, ...]) -> None:
    """Refuse a port that is taken; takes the options of `dagster dev`, others are not looked at."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError as error:
        found = (
            "is taken by another process" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        )
        raise click.ClickException(
            f"port {port} of {host} {found}; end what uses it (another `make dev`?), "
            f"or choose another one: make dev DEV_OPTIONS='-p {port + 10 if port < 65_000 else _PORT}'"
        ) from error


if __name__ == "__main__":
    free_port_command(sys.argv[1:], prog_name="make dev")
