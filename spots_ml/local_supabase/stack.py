"""Postgres, migrations and API together."""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from spots_ml.files import exclusive
from spots_ml.local_supabase.api import PACKAGES, api_running, api_url
from spots_ml.local_supabase.errors import LocalStackError
from spots_ml.local_supabase.keys import Keys
from spots_ml.local_supabase.ports import free_port
from spots_ml.local_supabase.postgres import ADMIN, SQL_DIR, Server, running
from spots_ml.local_supabase.private_files import write_private
from spots_ml.local_supabase.supervision import kept_running
from spots_ml.stores.supabase.migrations.account import apply_migrations, migration_files, read_migrations
from spots_ml.stores.supabase.migrations.rights import READER

PROJECT: Final = "project"
"""The database of the project that the API serves."""

_STORAGE_MIGRATION: Final = "_model_files"
"""The migration that does nothing where there is no Storage yet; it may be applied again."""


@dataclass(frozen=True)
class LocalProject:
    """A running project.

    Attributes:
        url: The API's address.
        keys: The keys it accepts.
        server: The Postgres behind it.
        database: The database it serves.
    """

    url: str
    keys: Keys = field(repr=False)
    server: Server
    database: str = PROJECT

    @property
    def dsn(self) -> str:
        """The database for bulk reads, as the role that can do nothing else."""
        return self.server.url(self.database, READER)

    @property
    def owner_dsn(self) -> str:
        """The database for migrations, as the owner of the tables."""
        return self.server.url(self.database)

    def environment(self) -> dict[str, str]:
        """Name the project to `spots_ml.settings`: variables with their values."""
        return {
            "SPOTS_ML_SUPABASE_URL": self.url,
            "SPOTS_ML_SUPABASE_KEY": self.keys.secret,
            "SPOTS_ML_SUPABASE_DSN": self.dsn,
        }

    def empty(self) -> None:
        """Take away every row of the project, and count from 1 again; files in Storage stay.

        Triggers that keep rows from being deleted are passed over, which only a superuser may do.
        """
        _run(self.server, "empty.sql")


@contextlib.contextmanager
def project_running(
    packages: Path = PACKAGES,
    *,
    major: int | None = None,
    folder: Path | None = None,
    database_port: int | None = None,
    api_port: int | None = None,
) -> Iterator[LocalProject]:
    """Start a project, and stop it afterwards; it stops as well when this process is killed.

    Args:
        packages: Where the API's packages are installed; see `api_running`.
        major: Major version of Postgres; None: that of the data in the folder, else the oldest that is installed.
        folder: Where its data and keys stay; None: a temporary folder, removed afterwards, and new keys. While it
            runs, the file `env` there, which only its owner may read, says how to reach it.
        database_port: Where Postgres listens; None: a free port.
        api_port: Where the API listens; None: a free port.

    Yields:
        The project, with all migrations applied.

    Raises:
        BusyError: When the project of that folder runs already.
        LocalStackError: When a part is missing, a port is taken, something does not start, or the data are older than
            the migrations.
    """
    with contextlib.ExitStack() as stack:
        if folder is None:
            api_folder = Path(tempfile.mkdtemp(prefix="spots_ml_api_"))
            stack.callback(shutil.rmtree, api_folder, ignore_errors=True)
            keys, environment, leftover = Keys.new(), None, api_folder
        else:
            stack.enter_context(exclusive(folder / "lock"))
            api_folder, environment = folder / "api", folder / "env"
            keys, leftover = Keys.kept_in(folder / "keys.json"), environment
        server = stack.enter_context(
            running(major, folder=None if folder is None else folder / "postgres", port=database_port)
        )
        _migrate(server, folder)
        port = free_port() if api_port is None else api_port

        @contextlib.contextmanager
        def serving() -> Iterator["subprocess.Popen[bytes]"]:
            database = server.url(PROJECT, ADMIN)
            with api_running(database, api_folder, packages, keys=keys, port=port, leftovers=(leftover,)) as process:
                # This API grants everything to everybody when it starts, and makes Storage's tables only then.
                storage = [file for file in migration_files() if file.stem.endswith(_STORAGE_MIGRATION)]
                _run(server, "restore_grants.sql", *storage)
                yield process

        stack.enter_context(kept_running(serving))
        project = LocalProject(api_url(port), keys, server)
        if environment is not None:
            stack.callback(environment.unlink, missing_ok=True)
            write_private(environment, "".join(f"{name}={value}\n" for name, value in project.environment().items()))
        yield project


def _migrate(server: Server, folder: Path | None) -> None:
    """Bring the database up to date; the grants are right before it, also when the last time ended in the middle."""
    server.create_project(PROJECT)
    _run(server, "restore_grants.sql")
    others = [one.file_name for one in read_migrations(server.url(PROJECT)) if one.state in ("changed", "unknown")]
    if others:
        raise LocalStackError(
            f"the data in {folder} come from other migrations than those of this checkout ({', '.join(others)}); "
            "remove that folder to begin anew"
        )
    apply_migrations(server.url(PROJECT))
    _run(server, "keep_grants.sql", "reader_login.sql")


def _run(server: Server, *files: str | Path) -> None:
    with server.connect(PROJECT, ADMIN, autocommit=True) as connection:
        for file in files:
            connection.execute((SQL_DIR / file).read_bytes())
