"""The one place where every call to the data API goes through: sent, repeated where that is safe, refused in words."""

import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import numpy as np

from spots_ml.stores.supabase.connection import SupabaseConnection
from spots_ml.stores.supabase.refusals import (
    Call,
    CallError,
    Refusal,
    UnavailableError,
    read_refusal,
    refused,
)
from spots_ml.stores.supabase.retries import PASSING_STATUSES, RetryPolicy, retry_after_s

if TYPE_CHECKING:
    import httpx
    from postgrest import SyncPostgrestClient

Repeat = Literal["read", "keyed", "once"]
"""What sending a call twice does: nothing (`read`), the same as once because a key says so (`keyed`), or harm (`once`).

`keyed` is an upsert on a unique key, an update to given values by key, or a function that takes the caller's own key.
"""

_READING_METHODS: Final = ("GET", "HEAD")
_CONTENT_RANGE: Final = re.compile(r"(\*|[0-9]+-[0-9]+)/(\*|[0-9]+)")


class Request(Protocol):
    """What the client's query builders end in."""

    @property
    def request(self) -> Any:
        """The request that would be sent."""

    def execute(self) -> Any:
        """Send it."""


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        data: Parsed JSON: the rows of a table, the value of a function; empty where nothing was asked for.
        count: The count of the matching rows; None where none was asked for, or none told.
    """

    data: Any
    count: int | None


class _RefusedResponseError(Exception):
    """A response that is no success, as the response hook found it."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class _UnreadableResponseError(Exception):
    """A success that is not what PostgREST answers: cut off, or from something else at this address."""


@dataclass(frozen=True)
class _Fault:
    """What one attempt ended in; `refusal` is None where there was no whole response."""

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
        return self.refusal is None or self.refusal.status in PASSING_STATUSES


class Calls:
    """Calls to one Supabase project, from any thread and also after a fork; use it as a context, or close it.

    Args:
        connection: The project.
        random: The source of the jitter between attempts.
        policy: How often and after how long a call is sent again.
        sleep: Waits for a number of seconds.
    """

    def __init__(
        self,
        connection: SupabaseConnection,
        *,
        random: np.random.Generator,
        policy: RetryPolicy | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.connection = connection
        self._policy = RetryPolicy() if policy is None else policy
        self._random = random
        self._sleep = sleep
        self._lock = threading.Lock()
        self._client: SyncPostgrestClient | None = None
        self._process = os.getpid()

    def __enter__(self) -> "Calls":
        """Use it for a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        with self._lock:
            if self._client is not None:
                self._client.aclose()
                self._client = None

    def execute(
        self, operation: str, table: str, build: "Callable[[SyncPostgrestClient], Request]", *, repeat: Repeat
    ) -> Answer:
        """Make one call.

        A `once` call is sent one single time, whatever happens: a server may have made the change before the
        connection broke. The others are sent again after lost connections, timeouts, 429 and 500, 502, 503, 504.

        Args:
            operation: What is done, in words that follow "could not", such as "count the labels".
            table: The table, view or function, for messages.
            build: Makes the request, anew for every attempt.
            repeat: What sending it twice does.

        Returns:
            The answer.

        Raises:
            CallError: When no attempt brought an answer; the class says whether the key, a missing name, a constraint,
                the request or the server is the matter.
            ValueError: When `repeat` is `read` and the request is none that only reads.
        """
        call = Call(operation, table, self.connection.host)
        attempts = 1 if repeat == "once" else self._policy.attempts
        may_have_applied = False
        attempt = 0
        while True:
            attempt += 1
            request = build(self._opened())
            if repeat == "read" and request.request.http_method not in _READING_METHODS:
                raise ValueError(f"{operation!r} is said to read, but sends {request.request.http_method}")
            result = self._attempt(request)
            if isinstance(result, Answer):
                return result
            may_have_applied = may_have_applied or (result.may_have_applied and repeat != "read")
            gives_up = attempt == attempts or not result.may_pass
            too_long = result.asked_s is not None and result.asked_s > self._policy.longest_retry_after_s
            if gives_up or too_long:
                raise self._error(call, result, attempts=attempt, may_have_applied=may_have_applied)
            with self._lock:
                wait_s = self._policy.wait_s(attempt, result.asked_s, self._random)
            self._sleep(wait_s)

    def _attempt(self, request: Request) -> Answer | _Fault:
        """Send it once; what `httpx` raises after the connection stands may have come after the change was made."""
        import httpx

        try:
            response = request.execute()
            if isinstance(response.data, str):
                # The client hands out what it cannot parse as text.
                return _Fault("the answer is not JSON, or was cut off", None, may_have_applied=True)
            return Answer(response.data, response.count)
        except _RefusedResponseError as error:
            # 4xx is said before anything is done, and a server error by PostgREST after a rollback; a gateway's is not.
            return _Fault(str(error), error.refusal, may_have_applied=error.refusal.status >= 500)
        except _UnreadableResponseError as error:
            return _Fault(str(error), None, may_have_applied=True)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            return _Fault(self._told(error), None, may_have_applied=False)
        except (httpx.TransportError, httpx.DecodingError) as error:
            return _Fault(self._told(error), None, may_have_applied=True)

    def _error(self, call: Call, fault: _Fault, *, attempts: int, may_have_applied: bool) -> CallError:
        if fault.refusal is not None:
            return refused(call, fault.refusal, attempts=attempts, may_have_applied=may_have_applied)
        sent = f", sent {attempts} times" if attempts > 1 else ""
        return UnavailableError(
            call,
            f"{fault.detail}{sent}; check the network and the project's address, then ask again",
            attempts=attempts,
            may_have_applied=may_have_applied,
        )

    def _told(self, error: Exception) -> str:
        return self.connection.without_key(f"{type(error).__name__}: {error}".removesuffix(": "))

    def _opened(self) -> "SyncPostgrestClient":
        """The client of this process: connections that were open before a fork belong to the parent."""
        with self._lock:
            if self._client is not None and self._process != os.getpid():
                self._client.aclose()
                self._client = None
            if self._client is None:
                self._process = os.getpid()
                self._client = self.connection.open(self._inspect)
            return self._client

    def _inspect(self, response: "httpx.Response") -> None:
        """Stop what is no success while status and headers are still there: the client's own error drops both."""
        if not response.is_success:
            response.read()
            body = self.connection.without_key(response.text)
            raise _RefusedResponseError(read_refusal(response.status_code, body, retry_after_s(response.headers)))
        told = response.headers.get("content-range")
        if told is not None and not _CONTENT_RANGE.fullmatch(told):
            raise _UnreadableResponseError(f"the answer's Content-Range is {told[:40]!r}; expected such as 0-9/10")
