"""Ports of the loopback interface."""

import socket
import tomllib
from pathlib import Path
from typing import Final

from spots_ml.local_supabase.errors import LocalStackError

LOOPBACK: Final = "127.0.0.1"

_CONFIG: Final = Path(__file__).resolve().parents[2] / "supabase" / "config.toml"
_ANSWER_TIMEOUT_S: Final = 1.0


def free_port() -> int:
    """Find a port that nobody listens on now.

    Returns:
        Its number; another process may take it before it is used.
    """
    with socket.socket() as found:
        found.bind((LOOPBACK, 0))
        port: int = found.getsockname()[1]
        return port


def require_free(port: int, option: str) -> None:
    """Insist that nobody listens on a port.

    Args:
        port: Its number.
        option: The option of `spots-ml local-supabase` that chooses another one.

    Raises:
        LocalStackError: When somebody does, or a connection uses it.
    """
    if _is_answered(port) or not _can_be_bound(port):
        raise LocalStackError(
            f"port {port} is taken, perhaps by another Supabase project on this machine, or for a minute by a "
            f"connection that has ended; end that project, wait, or choose another port with {option} "
            f"(make dev-supabase SUPABASE_OPTIONS='{option} {port + 1000}')"
        )


def declared_ports() -> tuple[int, int]:
    """Read the ports that `supabase/config.toml` gives to a project on this machine.

    Returns:
        The port of the API and the port of the database.
    """
    config = tomllib.loads(_CONFIG.read_text(encoding="utf-8"))
    return config["api"]["port"], config["db"]["port"]


def _is_answered(port: int) -> bool:
    with socket.socket() as asking:
        asking.settimeout(_ANSWER_TIMEOUT_S)
        return asking.connect_ex((LOOPBACK, port)) == 0


def _can_be_bound(port: int) -> bool:
    with socket.socket() as bound:
        # As servers do, so that their own ended connections are not in the way.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
