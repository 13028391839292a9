"""Whether the configured API and the configured Postgres belong to one project, for the person who sets them up.

A bulk read insists on it by itself, of the rows that it reads: `same_rows`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from spots_ml.stores.supabase.arrival import present
from spots_ml.stores.supabase.postgres.connecting import connected
from spots_ml.stores.supabase.postgres.dsn import PostgresDsn
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.refusals import Call

if TYPE_CHECKING:
    from postgrest import SyncPostgrestClient, SyncRPCFilterRequestBuilder

_FUNCTION: Final = "reached_watermark"
_ASK: Final = "select to_jsonb(public.reached_watermark())"
_API_HOST: Final = re.compile(r"([a-z]{20})\.supabase\.co")
_DIRECT_HOST: Final = re.compile(r"db\.([a-z]{20})\.supabase\.co")
_POOLER_USER: Final = re.compile(r"[^.]+\.([a-z]{20})")


@dataclass(frozen=True)
class Comparison:
    """What came of comparing.

    Attributes:
        same: Whether they can be one project.
        detail: What was found, in one sentence.
    """

    same: bool
    detail: str


def compare_projects(calls: Calls, url: str) -> Comparison:
    """Ask the API and Postgres for the same, and hold their names against each other.

    Args:
        calls: The project's API.
        url: The project's Postgres.

    Returns:
        The comparison. Two projects without a single row look the same, unless their addresses name them.

    Raises:
        ConfigError: When `url` is no address of a Postgres, or one of them lets nobody in.
        CallError: When one of them cannot be asked.
    """
    dsn = PostgresDsn.read(url)
    named_by_api, named_by_dsn = _name_of_api(calls.connection.url), _name_of_postgres(dsn)
    if named_by_api and named_by_dsn and named_by_api != named_by_dsn:
        return Comparison(same=False, detail=f"the API is that of {named_by_api}, Postgres that of {named_by_dsn}")
    present(calls)  # numbers what waits, so that there is something to compare
    with connected(dsn, Call("compare it with the API", _FUNCTION, dsn.host)) as connection:
        (before,) = (_arrived(row[0]) for row in connection.execute(_ASK))
        over_api = _arrived(calls.execute("compare it with Postgres", _FUNCTION, _build, repeat="read").data)
        (after,) = (_arrived(row[0]) for row in connection.execute(_ASK))
    # Numbers only grow, so what the API says in between lies in between.
    same = all(low <= found <= high for low, found, high in zip(before, over_api, after, strict=True))
    told = f"over the API {over_api[1]:,} interactions and {over_api[0]:,} labels have arrived"
    if not same:
        return Comparison(same=False, detail=f"{told}, in Postgres {after[1]:,} and {after[0]:,}")
    if not any(over_api) and not named_by_dsn:
        return Comparison(same=True, detail="both are empty, so that they cannot be told apart")
    return Comparison(same=True, detail=f"{told}, in Postgres as many")


def _build(client: "SyncPostgrestClient") -> "SyncRPCFilterRequestBuilder":
    return client.rpc(_FUNCTION, {}, get=True)


def _arrived(watermark: Mapping[str, int]) -> tuple[int, int]:
    return watermark["labels"], watermark["rows"]


def _name_of_api(url: str) -> str | None:
    found = _API_HOST.fullmatch(urlsplit(url).hostname or "")
    return found[1] if found else None


def _name_of_postgres(dsn: PostgresDsn) -> str | None:
    host = urlsplit(dsn.open_address).hostname or ""
    found = _DIRECT_HOST.fullmatch(host) or _POOLER_USER.fullmatch(dsn.user or "")
    return found[1] if found else None
