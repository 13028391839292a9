"""What one attempt at a call ends in: an answer, or a fault that says whether asking again can help."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from spots_ml.stores.supabase.transport.connection import SupabaseConnection
from spots_ml.stores.supabase.transport.refusals import Refusal, read_refusal
from spots_ml.stores.supabase.transport.retries import PASSING_STATUSES, STATEMENT_TIMEOUT, retry_after_s

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

_OK: Final = 200
_DATA: Final = "/rest/v1/"

_CONTENT_RANGE: Final = re.compile(r"(\*|[0-9]+-[0-9]+)/(\*|[0-9]+)")


class RefusedResponseError(Exception):
    """A response that is no success, as the response hook found it."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class UnreadableResponseError(Exception):
    """A success that is not what Supabase answers: cut off, or from something else at this address."""


@dataclass(frozen=True)
class Fault:
    """What one attempt ended in.

    Attributes:
        detail: What was found, in words.
        refusal: The response; None: there was no whole one.
        may_have_applied: Whether a change may have been made all the same.
    """

    detail: str
    refusal: Refusal | None
    may_have_applied: bool

    @property
    def asked_s(self) -> float | None:
        """How long the server asks to wait, in seconds."""
        return None if self.refusal is None else self.refusal.asked_s

    @property
    def may_pass(self) -> bool:
        """Whether another attempt may end otherwise."""
        if self.refusal is None:
            return True
        return self.refusal.status in PASSING_STATUSES and self.refusal.code != STATEMENT_TIMEOUT


def inspector(connection: SupabaseConnection) -> "Callable[[httpx.Response], None]":
    """Make the response hook: it stops what is no success while status and headers are still there.

    The client libraries' own errors drop both. A success of Storage is let through before its body is read.

    Args:
        connection: The project; its key is taken out of what is told.

    Returns:
        The hook. It raises RefusedResponseError for what is no success, and UnreadableResponseError for a success
        that no PostgREST tells like that.
    """

    def inspect(response: "httpx.Response") -> None:
        if not response.is_success:
            response.read()
            body = connection.without_key(response.text)
            raise RefusedResponseError(read_refusal(response.status_code, body, retry_after_s(response.headers)))
        told = response.headers.get("content-range")
        if told is not None and not _CONTENT_RANGE.fullmatch(told):
            raise UnreadableResponseError(f"the answer's Content-Range is {told[:40]!r}; expected such as 0-9/10")
        asked = response.request
        # An upsert that only replaces answers 200 as well, with nothing where nothing was asked for.
        tells = asked.method != "HEAD" and "return=minimal" not in asked.headers.get("prefer", "")
        if response.status_code == _OK and _DATA in response.url.path and tells:
            # The client takes nothing for an empty list of rows.
            response.read()
            if not response.content.strip():
                raise UnreadableResponseError("the answer is empty; expected JSON, as the data API sends with 200")

    return inspect


def attempt(send: Callable[[], T], connection: SupabaseConnection) -> T | Fault:
    """Send a call once; what breaks after the connection stands may have come after the change was made.

    Args:
        send: Sends it with a client that has the hook of `inspector`.
        connection: The project.

    Returns:
        What `send` returns, or why there is no answer.
    """
    import httpx

    def told(error: Exception) -> str:
        return connection.without_key(f"{type(error).__name__}: {error}".removesuffix(": "))

    try:
        return send()
    except RefusedResponseError as error:
        # 4xx is said before anything is done, and a server error by PostgREST after a rollback; a gateway's is not.
        return Fault(str(error), error.refusal, may_have_applied=error.refusal.status >= 500)
    except UnreadableResponseError as error:
        return Fault(str(error), None, may_have_applied=True)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
        return Fault(told(error), None, may_have_applied=False)
    except (httpx.TransportError, httpx.DecodingError) as error:
        return Fault(told(error), None, may_have_applied=True)
