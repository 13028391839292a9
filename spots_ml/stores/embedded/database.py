"""The SQLite file of the embedded store: connections and transactions.

Its tables are in `schema`, the queries in the other sibling modules.

WAL mode lets readers work while one process writes; writers queue up behind `BEGIN IMMEDIATE`. Connections are opened
per operation and closed after it, so that a store object may be used from any thread and survives a fork.
"""

import contextlib
import hashlib
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from spots_ml.errors import ArtifactError, BusyError
from spots_ml.files import exclusive
from spots_ml.interactions.judging.merging import MOMENT_US
from spots_ml.stores.embedded.schema import SCHEMA_VERSION, STEPS
from spots_ml.stores.watermark import Watermark
from spots_ml.troubles import trouble_at

_TABLES: Final = {"interactions", "model_versions"}
"""What every version of the schema has."""

_BUSY_TIMEOUT_S: Final = 60.0
_SILENT_S: Final = 1.0
"""Who waits longer for the write lock says so."""

_LOG: Final = logging.getLogger(__name__)


class Database:
    """One SQLite file with the schema of the embedded store.

    Args:
        path: The file; it and its folder are created when absent, an older schema is brought up to date.

    Raises:
        ArtifactError: When the file is not a database of spots_ml, damaged, or one of a later program.
        MachineError: When the machine does not let it be read and written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with trouble_at(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._prepare()

    def _prepare(self) -> None:
        """Bring the schema up to date once; the lock file makes concurrent first uses wait instead of fail."""
        lock = self.path.with_name(f"{self.path.name}.lock")
        with exclusive(lock, wait=True), self.reading() as connection:
            found = connection.execute("PRAGMA user_version").fetchone()[0]
            tables = {row["name"] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if tables and not (found and tables >= _TABLES):
                raise ArtifactError(
                    f"{self.path} is a SQLite database, but none of spots_ml (it has the tables "
                    f"{', '.join(sorted(tables)[:5])}); use another SPOTS_ML_DATA_DIR, or move it away to start an "
                    "empty store"
                )
            if not 0 <= found <= SCHEMA_VERSION:
                raise ArtifactError(
                    f"{self.path} has schema version {found}, this program expects at most {SCHEMA_VERSION}; "
                    "use the program that wrote it, or another SPOTS_ML_DATA_DIR"
                )
            if found == 0:
                connection.execute("PRAGMA journal_mode = WAL")
            if found < SCHEMA_VERSION:
                connection.create_function("identity_of", -1, identity_of, deterministic=True)
                # One script, one transaction: a process killed in the middle leaves the file as it was.
                steps = "".join(STEPS[found:])
                connection.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Open a connection; every statement sees what is committed when it starts.

        Yields:
            A connection in autocommit mode, closed afterwards. Its rows are `sqlite3.Row`.
        """
        with (
            trouble_at(self.path),
            contextlib.closing(sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)) as connection,
        ):
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA temp_store = FILE")
            yield connection

    @contextlib.contextmanager
    def consistent(self) -> Iterator[sqlite3.Connection]:
        """Open a connection whose statements all see the same committed state.

        Yields:
            A connection inside a read transaction.
        """
        with self.reading() as connection:
            connection.execute("BEGIN")
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Open a connection inside one write transaction: all of it happens, or nothing.

        Yields:
            A connection that holds the write lock; committed when the block ends well, rolled back otherwise.
        """
        with self.reading() as connection, transaction(connection):
            yield connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock for a block.

    Args:
        connection: A connection in autocommit mode.

    Yields:
        Nothing; committed when the block ends well, rolled back otherwise.

    Raises:
        BusyError: When another process keeps the lock for a minute.
    """
    _take_lock(connection)
    with _ended(connection):
        yield


@contextlib.contextmanager
def staging(connection: sqlite3.Connection) -> Iterator[None]:
    """Fill temporary tables in a block, as one; nobody waits for it, as long as nothing else is written.

    Args:
        connection: A connection in autocommit mode.

    Yields:
        Nothing; committed when the block ends well, rolled back otherwise.
    """
    connection.execute("BEGIN")
    with _ended(connection):
        yield


@contextlib.contextmanager
def _ended(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after some errors; the first error is the one to tell.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _take_lock(connection: sqlite3.Connection) -> None:
    """Wait for the write lock: in silence at first, then with a word, not for ever."""
    if _is_taken(connection, within_s=_SILENT_S):
        return
    path = connection.execute("PRAGMA database_list").fetchone()["file"]
    _LOG.warning("waiting for %s: another process is writing to it", path)
    if not _is_taken(connection, within_s=_BUSY_TIMEOUT_S):
        raise BusyError(
            f"another process has been writing to {path} for more than {_BUSY_TIMEOUT_S:g} s; nothing was changed: "
            "wait until it is done (an import takes longest), or end it, and do this again"
        )


def _is_taken(connection: sqlite3.Connection, *, within_s: float) -> bool:
    connection.execute(f"PRAGMA busy_timeout = {round(within_s * 1000)}")
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


Value = str | bytes | float | None

_SIZE: Final = 16


def identity_of(agent: str | None, opportunity: str | None, moment: int | None, *said: Value) -> bytes:
    """Reduce what makes an interaction itself to 16 bytes.

    Args:
        agent: The agent's id; None: unknown.
        opportunity: The opportunity's id; None: unknown.
        moment: When the pair was scored, in microseconds since 1970 (UTC); None: unknown.
        *said: All else that is said, which counts only where one of the others is unknown.

    Returns:
        16 bytes; equal for the same interaction.

    >>> identity_of("a", "b", 1_000) == identity_of("a", "b", 1_999) != identity_of("a", "b", 2_000)
    True
    """
    if agent is None or opportunity is None or moment is None:
        content = repr((agent, opportunity, moment, *map(_plain, said)))
    else:
        content = repr((agent, opportunity, moment // MOMENT_US * MOMENT_US))
    # repr() quotes, so that no two contents give the same text.
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).digest()[:_SIZE]


def _plain(value: Value) -> Value:
    # Adding 0 makes one number of -0.0 and 0.0, of True and 1.
    return value + 0 if isinstance(value, int | float) else value


_LAST_ROW: Final = """
SELECT max(
    coalesce((SELECT max(row_sequence) FROM interactions), 0), coalesce((SELECT max(row_sequence) FROM quarantined), 0)
)
"""
"""The last number that was given, to an interaction or to a broken record; two looks into an index."""


def present(connection: sqlite3.Connection) -> Watermark:
    """Read the present point of arrival.

    Args:
        connection: Inside a transaction, so that both numbers belong together.

    Returns:
        The watermark; 0/0 for an empty store.
    """
    labels = connection.execute("SELECT value FROM counters WHERE name = 'label_sequence'").fetchone()[0]
    rows = connection.execute(_LAST_ROW).fetchone()[0]
    return Watermark(labels, rows)
