"""Connections to a project's Postgres for a few statements: migrations and comparisons. Bulk reads are in `direct`."""

import contextlib
import re
from collections.abc import Iterator
from typing import Final

import psycopg

from spots_ml.stores.supabase.postgres.dsn import PostgresDsn
from spots_ml.stores.supabase.transport.refusals import AccessError, Call, CallError, MissingNameError, UnavailableError

_NOT_LET_IN: Final = re.compile(
    'password authentication failed|no pg_hba.conf entry|(role|database) ".*" does not exist|Tenant or user not found'
)
_TOLD: Final = 300
"""How much of a server's text goes into a message, in characters."""


@contextlib.contextmanager
def connected(dsn: PostgresDsn, call: Call) -> Iterator[psycopg.Connection]:
    """Open a connection for a few statements; each is a transaction unless it is told otherwise.

    Args:
        dsn: The project's Postgres.
        call: What is done, for messages.

    Yields:
        The connection; it is closed afterwards.

    Raises:
        CallError: When Postgres cannot be reached, lets nobody in, refuses a statement, or goes away.
    """
    try:
        with psycopg.connect(dsn.address, autocommit=True, prepare_threshold=None) as connection:
            yield connection
    except psycopg.Error as error:
        kind, advice = _meaning(error)
        told = dsn.without_password(" ".join(str(error).split()))[:_TOLD]
        raise kind(call, f"{told}; {advice}", code=error.sqlstate) from None


def _meaning(error: psycopg.Error) -> tuple[type[CallError], str]:
    if isinstance(error, psycopg.errors.InsufficientPrivilege | psycopg.errors.ReadOnlySqlTransaction):
        return AccessError, "use the DSN of the role that owns the tables, on Supabase `postgres`"
    if isinstance(error, psycopg.errors.UndefinedFunction | psycopg.errors.UndefinedTable):
        return MissingNameError, "apply the migrations with `spots-ml db push`"
    if _NOT_LET_IN.search(str(error)):
        return AccessError, "copy the DSN again from the project's settings, with its user and password"
    return UnavailableError, (
        "check the DSN and the network (the direct connection of Supabase needs IPv6, its session pooler does not)"
    )
