"""Which Supabase project, with which key, and how long to wait for it. Calls are made in `calls`."""

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from spots_ml.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from supabase import Client

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
"""Hosts that are this machine, to which nothing has to be encrypted."""

_KEY: Final = re.compile(r"[!-~]+")
_HIDDEN: Final = "(key)"


@dataclass(frozen=True)
class SupabaseConnection:
    """A Supabase project and the key to it.

    Attributes:
        url: The project's address, such as https://project.supabase.co; plain http on this machine alone.
        key: The API key; in no representation and no message.
        connect_timeout_s: How long a connection may take, in seconds.
        read_timeout_s: How long the answer may stay silent, in seconds; the API itself ends a statement after 60.
        write_timeout_s: How long the server may refuse to take more of a request, in seconds.

    Raises:
        ConfigError: When the address, the key or a timeout is none; every problem is listed.
    """

    url: str
    key: str = field(repr=False)
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 65.0
    write_timeout_s: float = 30.0

    def __post_init__(self) -> None:
        """Check all at once."""
        problems = [*_address_problems(self.url)]
        if not _KEY.fullmatch(self.key):
            problems.append(
                "the Supabase key is empty or holds spaces, line ends or other signs that no key has; copy it again"
            )
        for name in ("connect_timeout_s", "read_timeout_s", "write_timeout_s"):
            seconds = getattr(self, name)
            if not (math.isfinite(seconds) and seconds > 0):
                problems.append(f"{name} is {seconds}; expected seconds above 0")
        if problems:
            raise ConfigError("; ".join(problems))

    @property
    def host(self) -> str:
        """The host of the address, for messages."""
        return urlsplit(self.url).netloc

    def without_key(self, text: str) -> str:
        """Take the key out of a text that goes into a message.

        Args:
            text: What a server or a library said.

        Returns:
            The text with the key replaced.
        """
        return text.replace(self.key, _HIDDEN)

    def open(self, on_response: "Callable[[httpx.Response], None]") -> "tuple[Client, httpx.Client]":
        """Make a client; it connects when the first call is made.

        Its own repetitions are off: `calls` decides what may be sent twice. No session is kept or refreshed, so no
        thread runs. HTTP/1.1, because the HTTP/2 library writes every header, the key among them, to its debug log.
        Redirects are not followed, so that the key goes to this address alone.

        The key goes into both headers, `apikey` and `Authorization`, whichever kind it is: gateways take a secret key
        in the second where it equals the first, and Storage asks for the second.

        Args:
            on_response: Called with every response before its body is read; may raise.

        Returns:
            The client, and the HTTP client under it, which is what has to be closed.
        """
        import httpx
        from supabase import Client, ClientOptions

        http_client = httpx.Client(
            timeout=httpx.Timeout(
                connect=self.connect_timeout_s,
                read=self.read_timeout_s,
                write=self.write_timeout_s,
                pool=self.connect_timeout_s,
            ),
            http2=False,
            follow_redirects=False,
            event_hooks={"response": [on_response]},
        )
        options = ClientOptions(
            httpx_client=http_client,
            postgrest_client_retry=False,
            auto_refresh_token=False,
            persist_session=False,
        )
        return Client(self.url, self.key, options), http_client


def _address_problems(url: str) -> list[str]:
    expected = "expected the project's address, such as https://project.supabase.co"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return [f"the Supabase address cannot be read ({error}); {expected}"]
    if parts.username is not None or parts.password is not None:
        return [f"the Supabase address holds a user or a password; {expected}, and the key apart from it"]
    if parts.scheme not in ("https", "http") or not host or parts.query or parts.fragment:
        return [f"the Supabase address is {url!r}; {expected}"]
    if parts.path.strip("/"):
        return [f"the Supabase address is {url!r}, which has a path; {expected}"]
    if parts.scheme == "http" and host not in LOOPBACK:
        return [f"the Supabase address is {url!r}: the key would be sent in the clear; use https"]
    return []
