"""The one place where every call to Supabase goes through: sent, repeated where that is safe, refused in words."""

import json
import os
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeVar

import numpy as np

from spots_ml.stores.supabase.transport.connection import SupabaseConnection
from spots_ml.stores.supabase.transport.meanings import refused
from spots_ml.stores.supabase.transport.refusals import Call, CallError, UnavailableError
from spots_ml.stores.supabase.transport.responses import Fault, UnreadableResponseError, attempt, inspector
from spots_ml.stores.supabase.transport.retries import RetryPolicy

if TYPE_CHECKING:
    from postgrest import SyncPostgrestClient
    from storage3._sync.file_api import SyncBucketProxy
    from supabase import Client

T = TypeVar("T")

Repeat = Literal["read", "keyed", "once"]
"""What sending a call twice does: nothing (`read`), the same as once because a key says so (`keyed`), or harm (`once`).

`keyed` is an upsert on a unique key, an update to given values by key, a function that takes the caller's own key, or
an upload under a name that says what is uploaded.
"""

_AGAIN: Final[dict[Repeat, str]] = {
    "read": "",
    "keyed": " (the same once more changes nothing)",
    "once": " (the same once more changes it twice where it was made)",
}

_READING_METHODS: Final = ("GET", "HEAD")


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


class Calls:
    """Calls to one Supabase project, from any thread and also after a fork; use it as a context, or close it.

    One that is dropped closes its connections too.

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
        self._client: Client | None = None
        self._close_client: Callable[[], object] = lambda: None
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
            self._close_client()
            self._client = None

    def execute(
        self, operation: str, table: str, build: "Callable[[SyncPostgrestClient], Request]", *, repeat: Repeat
    ) -> Answer:
        """Make one call to the data API.

        A `once` call is sent one single time, whatever happens: a server may have made the change before the
        connection broke. The others are sent again after lost connections, timeouts and refusals that may pass.

        Args:
            operation: What is done, in words that follow "could not", such as "count the labels".
            table: The table, view or function, for messages.
            build: Makes the request, anew for every attempt. A function that it calls must not answer with a mere text,
                which looks like an answer that was cut off.
            repeat: What sending it twice does.

        Returns:
            The answer.

        Raises:
            CallError: When no attempt brought an answer; the class says whether the key, a missing name, a constraint,
                the request or the server is the matter.
            ValueError: When `repeat` is `read` and the request is none that only reads.
        """
        call = Call(operation, table, self.connection.host)

        def send(client: "Client") -> Answer:
            request = build(client.postgrest)
            if repeat == "read" and request.request.http_method not in _READING_METHODS:
                raise ValueError(f"{operation!r} is said to read, but sends {request.request.http_method}")
            response = request.execute()
            if isinstance(response.data, str):
                # The client hands out what it cannot parse as text.
                raise UnreadableResponseError("the answer is not JSON, or was cut off")
            return Answer(response.data, response.count)

        return self._repeated(call, send, repeat)

    def execute_storage(
        self, operation: str, bucket: str, path: str, act: "Callable[[SyncBucketProxy], T]", *, repeat: Repeat
    ) -> T:
        """Make one call to Storage, by the same rules as one to the data API.

        Args:
            operation: What is done, in words that follow "could not", such as "download a model".
            bucket: The bucket.
            path: The file in it, for messages.
            act: Makes the call, once for every attempt.
            repeat: What making it twice does.

        Returns:
            What `act` returns.

        Raises:
            CallError: When no attempt brought an answer; MissingFileError where the bucket does not hold the file.
        """
        call = Call(operation, f"bucket {bucket}, file {path}", self.connection.host, "storage")

        def send(client: "Client") -> T:
            try:
                return act(client.storage.from_(bucket))
            except (json.JSONDecodeError, UnicodeDecodeError, KeyError) as error:
                # The client takes every success for one of Storage.
                raise UnreadableResponseError("the answer is not what Storage sends, or was cut off") from error

        return self._repeated(call, send, repeat)

    def _repeated(self, call: Call, send: "Callable[[Client], T]", repeat: Repeat) -> T:
        attempts = 1 if repeat == "once" else self._policy.attempts
        may_have_applied = False
        n_sent = 0
        while True:
            n_sent += 1
            result = attempt(partial(send, self._opened()), self.connection)
            if not isinstance(result, Fault):
                return result
            may_have_applied = may_have_applied or (result.may_have_applied and repeat != "read")
            gives_up = n_sent == attempts or not result.may_pass
            too_long = result.asked_s is not None and result.asked_s > self._policy.longest_retry_after_s
            if gives_up or too_long:
                raise self._error(call, result, repeat, attempts=n_sent, may_have_applied=may_have_applied)
            with self._lock:
                wait_s = self._policy.wait_s(n_sent, result.asked_s, self._random)
            self._sleep(wait_s)

    def _error(self, call: Call, fault: Fault, repeat: Repeat, *, attempts: int, may_have_applied: bool) -> CallError:
        if fault.refusal is not None:
            return refused(call, fault.refusal, attempts=attempts, may_have_applied=may_have_applied)
        sent = f", sent {attempts} times" if attempts > 1 else ""
        return UnavailableError(
            call,
            f"{fault.detail}{sent}; check the network and the project's address, then ask again{_AGAIN[repeat]}",
            attempts=attempts,
            may_have_applied=may_have_applied,
        )

    def _opened(self) -> "Client":
        """The client of this process: connections that were open before a fork belong to the parent."""
        with self._lock:
            if self._client is not None and self._process != os.getpid():
                self._close_client()
                self._client = None
            if self._client is None:
                self._process = os.getpid()
                self._client, http_client = self.connection.open(inspector(self.connection))
                self._close_client = weakref.finalize(self, http_client.close)
            return self._client
