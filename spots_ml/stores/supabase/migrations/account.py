"""The migrations and the account of them that a project keeps: which are applied, and applying those that are not.

The account is the one of the Supabase CLI, so that either can go on where the other stopped. Calling that program is
done in `migration_push`.
"""

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import psycopg

from spots_ml.errors import SpotsMLError
from spots_ml.stores.supabase.migrations.preflight import find_obstacles, one_per_line
from spots_ml.stores.supabase.postgres.connecting import connected
from spots_ml.stores.supabase.postgres.dsn import PostgresDsn
from spots_ml.stores.supabase.transport.refusals import Call

MIGRATIONS_DIR: Final = Path(__file__).resolve().parents[4] / "supabase" / "migrations"

MigrationState = Literal["applied", "pending", "changed", "unknown"]
"""`changed`: the file is no longer what was applied. `unknown`: applied, but not one of these files."""

_TABLE: Final = "supabase_migrations.schema_migrations"
_ACCOUNT: Final = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations
    (version text primary key, statements text[], name text);
"""
_IS_THERE: Final = (
    "select 1 from pg_tables where schemaname = 'supabase_migrations' and tablename = 'schema_migrations'"
)
_READ: Final = "select version, name, statements from supabase_migrations.schema_migrations"
_VERSIONS: Final = "select version from supabase_migrations.schema_migrations"
_NOTE: Final = "insert into supabase_migrations.schema_migrations (version, name, statements) values (%s, %s, %s)"
_ONE_AT_A_TIME: Final = "select pg_advisory_lock(hashtextextended('spots_ml migrations', 0))"
_SPLIT: Final = re.compile(r"[\s;]+")


class MigrationError(SpotsMLError):
    """Migrations that were refused; nothing of them stays."""


@dataclass(frozen=True)
class Migration:
    """One migration, of the files, the account, or both.

    Attributes:
        version: What it is known by: 14 digits, a moment.
        name: What it is about.
        state: How files and account agree.
        statements: The statements that were applied, as the account has them; empty where it has none.
    """

    version: str
    name: str
    state: MigrationState
    statements: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """The name of its file."""
        return f"{self.version}_{self.name}.sql"


def migration_files(folder: Path = MIGRATIONS_DIR) -> list[Path]:
    """List the migrations in their order.

    Args:
        folder: Where they lie.

    Returns:
        Files named `<version>_<name>.sql`, at least one.

    Raises:
        MigrationError: When there are none: a project without a schema is never what was meant.
    """
    files = sorted(folder.glob("*.sql"))
    if not files:
        raise MigrationError(f"there are no migrations in {folder}; run this from a whole checkout of the project")
    return files


def read_migrations(url: str, folder: Path = MIGRATIONS_DIR) -> tuple[Migration, ...]:
    """Hold the files against a project's account; nothing is changed.

    Args:
        url: The project's Postgres.
        folder: Where the migrations lie.

    Returns:
        All that either knows, in the order of their versions. Blanks and semicolons make no difference between a file
        and what was applied, because the Supabase CLI keeps statement by statement.

    Raises:
        ConfigError: When `url` is no address of a Postgres.
        CallError: When it cannot be reached, or lets nobody in.
    """
    account = _read_account(PostgresDsn.read(url))
    found = {version: Migration(version, name, "unknown", statements) for version, name, statements in account}
    for file in migration_files(folder):
        version, _, name = file.stem.partition("_")
        applied = found.get(version)
        if applied is None:
            found[version] = Migration(version, name, "pending")
        else:
            text = file.read_text(encoding="utf-8")
            changed = bool(applied.statements) and _squeezed(text) != _squeezed("".join(applied.statements))
            found[version] = Migration(version, name, "changed" if changed else "applied", applied.statements)
    return tuple(found[version] for version in sorted(found))


def require_unchanged(migrations: Iterable[Migration]) -> None:
    """Insist that what was applied is what the files say.

    Args:
        migrations: All that files and account know.

    Raises:
        MigrationError: When files were changed since they were applied.
    """
    changed = [one.file_name for one in migrations if one.state == "changed"]
    if changed:
        raise MigrationError(
            f"changed since they were applied: {', '.join(changed)}; nothing was applied. Restore these files and put "
            "the change into a new migration behind them"
        )


def apply_migrations(url: str, folder: Path = MIGRATIONS_DIR) -> list[str]:
    """Apply what is not applied yet, all of it in one transaction; who comes second waits, and finds it done.

    What can be seen to be in the way is looked for before, and told all at once.

    Args:
        url: The database, as the role that is to own the tables.
        folder: Where the migrations lie.

    Returns:
        Names of the files that were applied.

    Raises:
        ConfigError: When `url` is no address of a Postgres.
        MigrationError: When something is in the way, or Postgres refuses one; nothing is applied then.
        CallError: When it cannot be reached, or lets nobody in.
    """
    dsn, pending = PostgresDsn.read(url), []
    with connected(dsn, Call("apply the migrations", _TABLE, dsn.host)) as connection:
        connection.execute(_ONE_AT_A_TIME)
        is_kept = connection.execute(_IS_THERE).fetchone()
        known = {version for (version,) in connection.execute(_VERSIONS).fetchall()} if is_kept else set()
        files = migration_files(folder)
        pending = [file for file in files if _version(file) not in known]
        require_free_way(connection, [file for file in files if file not in pending], pending)
        with connection.transaction():
            connection.execute(_ACCOUNT)
            for file in pending:
                with _refused(connection, file):
                    _apply(connection, file)
    return [file.name for file in pending]


def require_free_way(connection: psycopg.Connection, applied: Sequence[Path], pending: Sequence[Path]) -> None:
    """Insist that nothing in a database is in the way of migrations, as far as that can be seen without its rows.

    Args:
        connection: The database.
        applied: Migrations that it has.
        pending: Migrations that are to be applied, in their order.

    Raises:
        MigrationError: When something is, with all that was found.
    """
    found = find_obstacles(connection, applied, pending)
    if found:
        raise MigrationError(
            f"nothing was applied, because {len(found)} things are in the way:\n{one_per_line(found)}\nThen push again"
        )


def _read_account(dsn: PostgresDsn) -> list[tuple[str, str, tuple[str, ...]]]:
    with connected(dsn, Call("read which migrations are applied", _TABLE, dsn.host)) as connection:
        # Looked up in the catalogue, because to_regclass asks for a right to the schema.
        if not connection.execute(_IS_THERE).fetchone():
            return []
        rows = connection.execute(_READ).fetchall()
    return [(version, name or "unnamed", tuple(statements or ())) for version, name, statements in rows]


def _version(file: Path) -> str:
    return file.stem.partition("_")[0]


def _apply(connection: psycopg.Connection, file: Path) -> None:
    content = file.read_bytes()
    connection.execute(content)
    connection.execute(_NOTE, (_version(file), file.stem.partition("_")[2], [content.decode()]))


@contextlib.contextmanager
def _refused(connection: psycopg.Connection, file: Path) -> Iterator[None]:
    try:
        yield
    except psycopg.DatabaseError as error:
        if connection.broken:
            raise
        raise MigrationError(
            f"the migration {file.name} was not applied, and none of those that were pending: {_reason(file, error)}; "
            "correct what is in the way, then push again"
        ) from error


def _reason(file: Path, error: psycopg.DatabaseError) -> str:
    found, position = error.diag, error.diag.statement_position
    # Details of other errors quote whole rows.
    detail = found.message_detail if isinstance(error, psycopg.errors.UniqueViolation) else None
    told = ". ".join(filter(None, (found.message_primary, detail, found.message_hint)))
    if not position:
        return f"{told} (SQLSTATE {error.sqlstate})"
    line = file.read_text(encoding="utf-8")[: int(position)].count("\n") + 1
    return f"{told} (SQLSTATE {error.sqlstate}, line {line})"


def _squeezed(text: str) -> str:
    return _SPLIT.sub("", text)
