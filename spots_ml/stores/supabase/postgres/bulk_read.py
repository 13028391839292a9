"""Bulk reads straight from the project's Postgres, over ADBC: columns of Arrow, batch by batch, nothing else.

Whoever writes, or wants a few rows, goes over the API (`calls`).
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from spots_ml.stores.supabase.postgres.dsn import PostgresDsn
from spots_ml.stores.supabase.transport.refusals import (
    AccessError,
    Call,
    CallError,
    MissingNameError,
    RequestRefusedError,
    UnavailableError,
)

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

_BATCH_BYTES: Final = 8_000_000
"""How much of an answer is held at a time."""

_BEGIN: Final = (
    "set transaction isolation level repeatable read, read only",
    "set local statement_timeout = '30min'",
    "set local idle_in_transaction_session_timeout = '60min'",
    "set local jit = off",
    "set local enable_hashjoin = off",
    "set local enable_mergejoin = off",
)
"""All in the transaction, so that a pooler's connection is given back as it was.

What is read joins rows one to one, by a key: looked up row by row they come at once, in order, and the server writes no
files of wide rows. Compiling such a statement takes longer than it saves.
"""

_IS_WHOLE: Final = "select private.sees_every_row() as sees"
"""A role from whom policies hide rows is refused, instead of being given fewer."""

_WHOSE: Final = "use the DSN of spots_ml_reader, or of a role that is a member of it (docs/how-to/supabase.md)"

_MEANINGS: Final[tuple[tuple[tuple[str, ...], type[CallError], str], ...]] = (
    (("42501",), AccessError, f"the DSN's role has no grant to read it; {_WHOSE}"),
    (("28", "3D"), AccessError, "copy the DSN again from the project's settings"),
    (("42P01", "42703", "42883", "3F"), MissingNameError, "apply the migrations in supabase/migrations"),
    (("57014",), UnavailableError, "it was stopped, or ran longer than allowed; read when the database is less busy"),
    (("08", "53", "57", "58", "XX"), UnavailableError, "read again later; the database's log says why"),
    (("",), RequestRefusedError, "the statement and the schema disagree; apply the migrations, or correct the values"),
)
"""Beginnings of SQLSTATEs, what they are and what to do; the first that fits."""

_STATEMENT: Final = re.compile(r" (LINE [0-9]+|Query was): .*| SQLSTATE: .*")
"""What the driver's words end in: the statement, which may be long and hold ids, and the code."""

_LENGTH: Final = 300
"""How much of the driver's words goes into a message, in characters."""


class ConsistentRead:
    """One state of the database, for as many reads as need to agree with each other.

    Args:
        connection: Inside a read-only transaction.
        host: Of the database, for messages.
    """

    def __init__(self, connection: "Connection", host: str) -> None:
        self._connection = connection
        self.host = host

    def read(self, operation: str, table: str, statement: str) -> Iterator[pa.RecordBatch]:
        """Run a statement and stream its answer; one at a time.

        Args:
            operation: What is done, in words that follow "could not".
            table: The table, view or function, for messages.
            statement: One SQL statement that reads, values included.

        Yields:
            Batches of a few MB, in the order of the statement; none for no rows.

        Raises:
            CallError: When the database refuses it or the connection breaks, also in the middle.
        """
        with _told(Call(operation, table, self.host)), self._connection.cursor() as cursor:
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)})
            cursor.execute(statement)
            with cursor.fetch_record_batch() as batches:
                yield from batches


class DirectReads:
    """Reads from one Postgres, each on a connection of its own, so from any thread and also after a fork.

    Encrypted unless the DSN says otherwise or names this machine. The DSN may name a role that can read and nothing
    else; every transaction is read only all the same.

    Args:
        dsn: `postgresql://user:password@host:port/database`; in no message and no representation. Supabase's
            transaction pooler (port 6543) gives no connection that stays, so it cannot be read from.

    Raises:
        ConfigError: When it is no such address, or that of a transaction pooler.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = PostgresDsn.read(dsn)
        self.host = self._dsn.host

    def __repr__(self) -> str:
        """Name the host alone."""
        return f"DirectReads({self.host})"

    def read(self, operation: str, table: str, statement: str) -> Iterator[pa.RecordBatch]:
        """Run one statement in a snapshot of its own and stream its answer.

        Memory does not grow with the number of rows. The connection is closed when the answer ends and when the
        iterator is dropped.

        Args:
            operation: What is done, in words that follow "could not", such as "read the interactions".
            table: The table, view or function, for messages.
            statement: One SQL statement that reads, values included.

        Yields:
            Batches of a few MB, in the order of the statement; none for no rows.

        Raises:
            CallError: When the database cannot be reached, refuses the statement, or goes away in the middle.
        """
        with self.consistent() as snapshot:
            yield from snapshot.read(operation, table, statement)

    @contextlib.contextmanager
    def consistent(self) -> Iterator[ConsistentRead]:
        """Open a snapshot: all reads in it see the same committed state.

        Yields:
            The snapshot; its connection is closed afterwards.

        Raises:
            AccessError: When policies hide rows from the DSN's role.
            CallError: When the database cannot be reached.
        """
        from adbc_driver_postgresql import dbapi

        call = Call("open a snapshot", "Postgres", self.host)
        with contextlib.ExitStack() as stack:
            with _told(call, self._dsn.without_password):
                connection = stack.enter_context(dbapi.connect(self._dsn.address))
                for statement in _BEGIN:
                    with connection.cursor() as cursor:
                        cursor.execute(statement)
            snapshot = ConsistentRead(connection, self.host)
            whole = [batch["sees"][0].as_py() for batch in snapshot.read(call.operation, "Postgres", _IS_WHOLE)]
            if whole != [True]:
                raise AccessError(call, f"policies hide rows from the DSN's role, so nothing was read; {_WHOSE}")
            yield snapshot


@contextlib.contextmanager
def _told(call: Call, without_password: Callable[[str], str] = str) -> Iterator[None]:
    """Turn what the driver raises into a `CallError`."""
    from adbc_driver_manager import Error

    try:
        yield
    except (Error, pa.ArrowException, OSError) as error:
        words = " ".join(without_password(str(error)).split())
        raise _meant(call, _STATEMENT.sub("", words)[:_LENGTH], getattr(error, "sqlstate", None)) from None


def _meant(call: Call, told: str, code: str | None) -> CallError:
    if code is None:
        return UnavailableError(call, f"{told}; check the DSN, the network and the database, then read again")
    kind, advice = next(meaning[1:] for meaning in _MEANINGS if code.startswith(meaning[0]))
    return kind(call, f"{told} ({code}); {advice}", code=code)
