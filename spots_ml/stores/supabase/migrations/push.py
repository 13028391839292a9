"""Applying the migrations to a project: directly, all or nothing, or by the Supabase CLI, file by file.

Both keep the same account, and what is in the way is looked for before either begins.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from spots_ml.stores.supabase.migrations.account import (
    MIGRATIONS_DIR,
    Migration,
    MigrationError,
    apply_migrations,
    migration_files,
    read_migrations,
    require_free_way,
    require_unchanged,
)
from spots_ml.stores.supabase.postgres.connecting import connected
from spots_ml.stores.supabase.postgres.dsn import PostgresDsn
from spots_ml.stores.supabase.transport.refusals import Call

_QUIET: Final = {"DO_NOT_TRACK": "1", "SUPABASE_TELEMETRY_DISABLED": "1"}
_APPLYING: Final = re.compile(r"Applying migration (\S+?)(?:\.\.\.)?$", re.MULTILINE)
_HINT: Final = "Try rerunning"
_TOLD: Final = 1_000
"""How much of the CLI's words goes into a message, in characters."""


def find_cli() -> Path | None:
    """Find the Supabase CLI.

    Returns:
        The program of that name on the PATH; None: there is none.
    """
    found = shutil.which("supabase")
    return None if found is None else Path(found)


def push_migrations(url: str, folder: Path = MIGRATIONS_DIR, *, cli: Path | None = None) -> list[str]:
    """Apply what is not applied yet.

    Args:
        url: The project's Postgres, as the role that is to own the tables.
        folder: Where the migrations lie.
        cli: The Supabase CLI; None: apply them directly.

    Returns:
        Names of the files that were applied.

    Raises:
        ConfigError: When `url` is no address of a Postgres.
        MigrationError: When an applied file was changed since or something is in the way (then nothing is applied), or
            one is refused; by the CLI those before it stay applied, of the file itself nothing does.
        CallError: When Postgres cannot be reached, or lets nobody in.
    """
    migrations = read_migrations(url, folder)
    require_unchanged(migrations)
    pending = [one.file_name for one in migrations if one.state == "pending"]
    if cli is None:
        return apply_migrations(url, folder)
    if pending:
        dsn = PostgresDsn.read(url)
        with connected(dsn, Call("look what is in the way of the migrations", "pg_catalog", dsn.host)) as connection:
            files = migration_files(folder)
            require_free_way(
                connection,
                [file for file in files if file.name not in pending],
                [file for file in files if file.name in pending],
            )
        _push_by_cli(cli, PostgresDsn.read(url), folder, [one for one in migrations if one.state == "unknown"])
        left = {one.file_name for one in read_migrations(url, folder) if one.state == "pending"}
        if left:
            raise MigrationError(
                f"{cli} ended well, but the project has not got {', '.join(sorted(left))}; look at its output with "
                "`supabase migration list`, or push without it"
            )
    return pending


def _push_by_cli(cli: Path, dsn: PostgresDsn, folder: Path, others: Iterable[Migration]) -> None:
    """Run the CLI in a folder of its own: it leaves files where it runs, and reads settings that lie there.

    Migrations of other programs are put beside ours by their numbers: it refuses a project that has any it cannot see.

    Raises:
        MigrationError: When it fails, with its words.
    """
    environment = _environment(dsn)
    with tempfile.TemporaryDirectory(prefix="spots_ml_push_") as home:
        target = Path(home, "supabase", "migrations")
        target.mkdir(parents=True)
        config = folder.parent / "config.toml"
        if config.is_file():
            shutil.copy(config, target.parent)
        for file in migration_files(folder):
            shutil.copy(file, target)
        for one in others:
            if one.version.isdecimal():
                (target / f"{one.version}_applied.sql").touch()
        asked = _run(cli, ["db", "push", "--help"], home, environment)
        where = "--remote" if "--remote" in asked.stdout + asked.stderr else "--db-url"
        arguments = ["db", "push", "--include-all", "--yes", f"{where}={dsn.open_address}"]
        done = _run(cli, arguments, home, environment)
    if done.returncode:
        raise MigrationError(_told(cli, dsn, done.stdout + done.stderr))


def _environment(dsn: PostgresDsn) -> Mapping[str, str]:
    """The password goes into the environment, because every user of the machine may read arguments."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SPOTS_ML_")}
    return {**kept, **_QUIET, **({} if dsn.password is None else {"PGPASSWORD": dsn.password})}


def _run(
    cli: Path, arguments: list[str], home: str, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [cli, *arguments],
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise MigrationError(f"{cli} does not run ({error.strerror}); install it again, or push without it") from error


def _told(cli: Path, dsn: PostgresDsn, output: str) -> str:
    applying = list(_APPLYING.finditer(output))
    words = output[applying[-1].end() :] if applying else output
    words = dsn.without_password(" ".join(words.partition(_HINT)[0].split()))[:_TOLD]
    if applying:
        return (
            f"the migration {applying[-1][1]} was not applied, nothing of it stays: {words}; correct what is in the way"
        )
    return f"{cli} applied nothing: {words}"
