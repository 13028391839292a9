"""A Postgres of its own: any installed version, in a folder of its own, on the loopback interface.

The server's binaries are used directly: packages that start it themselves make users and open folders up. What a
project's database has before its first migration lies in `sql/`.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from spots_ml.local_supabase.errors import LocalStackError
from spots_ml.local_supabase.installed_postgres import find_binaries
from spots_ml.local_supabase.ports import LOOPBACK, free_port, require_free
from spots_ml.local_supabase.supervision import Ending, supervised

ADMIN: Final = "supabase_admin"
"""The superuser, as on Supabase; `postgres` is the role that owns the project's tables."""

SQL_DIR: Final = Path(__file__).parent / "sql"

_PORT_OPTION: Final = "--database-port"
_START_TIMEOUT_S: Final = 60
_STARTS: Final = 3
"""A port that was free may be taken before the server gets it."""

_ENDING: Final = Ending(signal.SIGINT, 20, signal.SIGQUIT)
"""Postgres' words for: end the connections, then end at once."""

_FLEETING: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""For data that are thrown away afterwards."""

_HAS_ROLES: Final = "select 1 from pg_roles where rolname = 'service_role'"
_HAS_AUTH: Final = "select 1 from pg_namespace where nspname = 'auth'"


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        major: Its major version.
        port: Where it listens, on 127.0.0.1.
    """

    major: int
    port: int

    def url(self, database: str, user: str = "postgres") -> str:
        """Name a database for `psycopg.connect`; no password is asked for."""
        return f"postgresql://{user}@{LOOPBACK}:{self.port}/{database}"

    def connect(self, database: str, user: str = "postgres", **options: Any) -> psycopg.Connection:
        """Open a connection; the options are those of `psycopg.connect`."""
        return psycopg.connect(self.url(database, user), connect_timeout=10, **options)

    def create_database(self, name: str, template: str = "template1") -> None:
        """Make a database after the model of another one, to which nobody may be connected."""
        with self.connect("postgres", ADMIN, autocommit=True) as connection:
            connection.execute(f'create database "{name}" template "{template}" owner postgres')

    def drop_database(self, name: str) -> None:
        """Drop a database, also while others are connected to it."""
        with self.connect("postgres", ADMIN, autocommit=True) as connection:
            connection.execute(f'drop database "{name}" with (force)')

    def create_project(self, name: str, *preparations: Path) -> None:
        """Make a database as a Supabase project has it before its first migration, then run further files of SQL.

        What is there already stays; what a killed process has left out is made good.
        """
        with self.connect("postgres", ADMIN) as connection:
            found = connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone()
        if not found:
            self.create_database(name)
        with self.connect(name, ADMIN) as connection:
            if not connection.execute(_HAS_AUTH).fetchone():
                for file in (SQL_DIR / "project.sql", *preparations):
                    connection.execute(file.read_bytes())


@contextlib.contextmanager
def running(major: int | None = None, *, folder: Path | None = None, port: int | None = None) -> Iterator[Server]:
    """Start a server with Supabase's roles, and stop it afterwards; it stops as well when this process is killed.

    Args:
        major: Its major version; None: that of the data in the folder, else the oldest one that is installed.
        folder: Where its data stay; None: a temporary folder, removed afterwards.
        port: Where it listens; None: a free port.

    Yields:
        The server.

    Raises:
        LocalStackError: When none is installed, the port is taken, or it does not start; the message has its log.
    """
    with contextlib.ExitStack() as cleaning:
        if folder is None:
            home = Path(tempfile.mkdtemp(prefix="spots_ml_postgres_"))
            cleaning.callback(shutil.rmtree, home, ignore_errors=True)
        else:
            home = folder.absolute()
            home.mkdir(parents=True, exist_ok=True)
        found_major, binaries = find_binaries(_major_of_data(home) or major)
        identity = _identity()
        if identity:
            binaries = _opened_up(binaries, home, identity)
        if not (home / "data").exists():
            _initialise(binaries, home, identity)
        taken = cleaning.enter_context(_started(binaries, home, identity, port, is_kept=folder is not None))
        server = Server(found_major, taken)
        with server.connect("postgres", ADMIN) as connection:
            if not connection.execute(_HAS_ROLES).fetchone():
                connection.execute((SQL_DIR / "roles.sql").read_bytes())
        yield server


def _major_of_data(home: Path) -> int | None:
    version = home / "data" / "PG_VERSION"
    return int(version.read_text()) if version.exists() else None


def _identity() -> dict[str, Any]:
    """Postgres refuses to run as root; then it runs as `nobody`, for whom no user has to be made."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _opened_up(binaries: Path, home: Path, identity: dict[str, Any]) -> Path:
    """Give the folder to another user; a server that lies where only root may look is copied into it."""
    home.chmod(0o755)
    os.chown(home, identity["user"], identity["group"])
    closed = _closed_to_others(home)
    if closed:
        raise LocalStackError(
            f"{closed} is closed to other users, and Postgres, which refuses to run as root, runs as `nobody`; start "
            "as another user, keep the data elsewhere (SPOTS_ML_DATA_DIR; TMPDIR for temporary ones), or open it: "
            f"chmod o+x {closed}"
        )
    if not _closed_to_others(binaries):
        return binaries
    shutil.copytree(binaries.parent, home / "server", symlinks=True, dirs_exist_ok=True)
    return home / "server" / binaries.name


def _closed_to_others(folder: Path) -> Path | None:
    closed = [parent for parent in (folder, *folder.parents) if not parent.stat().st_mode & 0o001]
    return closed[-1] if closed else None


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", "TZ": "UTC"}


def _initialise(binaries: Path, home: Path, identity: dict[str, Any]) -> None:
    """Make the data folder, under another name until it is whole."""
    unfinished = home / "data.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    options = ("-U", ADMIN, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
    made = subprocess.run(
        [binaries / "initdb", "-D", unfinished, *options],
        **{"capture_output": True, "text": True, "cwd": home, "env": _environment(), **identity},
    )
    if made.returncode:
        raise LocalStackError(f"{binaries / 'initdb'} failed: {made.stderr.strip()}")
    unfinished.rename(home / "data")


@contextlib.contextmanager
def _started(
    binaries: Path, home: Path, identity: dict[str, Any], wanted: int | None, *, is_kept: bool
) -> Iterator[int]:
    log = home / "server.log"
    if wanted is not None:
        require_free(wanted, _PORT_OPTION)
    for _ in range(_STARTS if wanted is None else 1):
        port = free_port() if wanted is None else wanted
        settings = {
            **{"port": port, "listen_addresses": LOOPBACK, "unix_socket_directories": "", "timezone": "UTC"},
            **({} if is_kept else _FLEETING),
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with supervised(
            [binaries / "postgres", "-D", home / "data", *options],
            ending=_ENDING,
            cwd=home,
            env=_environment(),
            log=log,
            identity=identity,
            leftovers=() if is_kept else (home,),
        ) as process:
            if _answers(process, port, home / "data"):
                yield port
                return
    raise LocalStackError(f"PostgreSQL did not start: {log.read_text().strip()[-2000:]}")


def _answers(process: "subprocess.Popen[bytes]", port: int, data: Path) -> bool:
    """Wait for this very server: on a port that was taken meanwhile, another one answers."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with psycopg.connect(f"postgresql://{ADMIN}@{LOOPBACK}:{port}/postgres", connect_timeout=2) as connection:
                if connection.execute("show data_directory").fetchone() == (str(data),):
                    return True
        except psycopg.OperationalError:
            pass
        time.sleep(0.02)
    return False
