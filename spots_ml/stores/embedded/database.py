"""The SQLite file of the embedded store: connections and transactions.

Its tables are in `schema`, the queries in the other sibling modules.

WAL mode lets readers work while one process writes; writers queue up behind `BEGIN IMMEDIATE`. Connections are opened
per operation and closed after it, so that a store object may be used from any thread and survives a fork.
"""

import contextlib
import fcntl
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from spots_ml.errors import ArtifactError
from spots_ml.stores.embedded.identity import identity_of
from spots_ml.stores.embedded.schema import SCHEMA_VERSION, STEPS

_BUSY_TIMEOUT_S: Final = 60.0


class Database:
    """One SQLite file with the schema of the embedded store.

    Args:
        path: The file; it and its folder are created when absent, an older schema is brought up to date.

    Raises:
        ArtifactError: When the file is not a database of spots_ml, or one of a later program.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            raise ArtifactError(
                f"{path} cannot be used as the embedded store ({error}); expected a SQLite file of spots_ml. "
                "Restore it from a backup, or move it away to start an empty store"
            ) from error

    def _prepare(self) -> None:
        """Bring the schema up to date once; the lock file makes concurrent first uses wait instead of fail."""
        with self.path.with_name(f"{self.path.name}.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with self.reading() as connection:
                found = connection.execute("PRAGMA user_version").fetchone()[0]
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
                    connection.executescript(
                        f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
                    )

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Open a connection; every statement sees what is committed when it starts.

        Yields:
            A connection in autocommit mode, closed afterwards. Its rows are `sqlite3.Row`.
        """
        connection = sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA temp_store = FILE")
            yield connection
        finally:
            connection.close()

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
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
