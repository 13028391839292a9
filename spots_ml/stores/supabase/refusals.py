"""What a call can end in other than an answer, and what each means: the only reader of status and error codes.

Codes that begin with PGRST are PostgREST's (docs.postgrest.org, "Errors"), those of five signs are Postgres' SQLSTATEs.
"""

import json
from dataclasses import dataclass
from typing import Final

from spots_ml.errors import ConfigError, InputError, SpotsMLError

_TOLD: Final = 300
"""How much of a server's text goes into a message, in characters."""

_UNKNOWN_NAMES: Final = ("PGRST200", "PGRST202", "PGRST203", "PGRST204", "PGRST205", "42P01", "42703", "42883")
_NO_PERMISSION: Final = "42501"
_CONSTRAINTS: Final = "23"
"""Class 23 of the SQLSTATEs: integrity constraint violation."""

_UNIQUE: Final = "23505"


@dataclass(frozen=True)
class Call:
    """What was being done, for messages.

    Attributes:
        operation: In words, such as "count the labels".
        table: The table, view or function.
        host: The host that was asked.
    """

    operation: str
    table: str
    host: str

    def __str__(self) -> str:
        """Write it as the start of a sentence."""
        return f"could not {self.operation} ({self.table} at {self.host})"


class CallError(SpotsMLError):
    """A call to Supabase that ended in no answer.

    Attributes:
        call: What was being done.
        status: The HTTP status; None: there was no whole response.
        code: PostgREST's or Postgres' code; None: none was told.
        attempts: How often it was sent.
        may_have_applied: True when a change may have been made although no answer says so.
    """

    def __init__(
        self,
        call: Call,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        attempts: int = 1,
        may_have_applied: bool = False,
    ) -> None:
        told = f"{call}: {message}"
        if may_have_applied:
            told += "; it is unknown whether the change was made: look before it is asked for again"
        super().__init__(told)
        self.call = call
        self.status = status
        self.code = code
        self.attempts = attempts
        self.may_have_applied = may_have_applied


class AccessError(CallError, ConfigError):
    """The key is not accepted, or its role may not do this."""


class MissingNameError(CallError, ConfigError):
    """A table, column or function does not exist, or the API does not show it."""


class ConflictError(CallError, InputError):
    """A row is in the way: a constraint of the database says no."""


class RequestRefusedError(CallError, InputError):
    """The request is not what the API takes: too large, malformed, out of range."""


class UnavailableError(CallError):
    """No connection, no answer in time, or a server that fails; asking again later may help."""


@dataclass(frozen=True)
class Refusal:
    """A response that is no success.

    Attributes:
        status: The HTTP status.
        code: The code in its body; None: none.
        message: The server's words, without the key; possibly empty.
        asked_s: How long the server asks to wait, in seconds; None: it does not.
    """

    status: int
    code: str | None
    message: str
    asked_s: float | None = None

    def __str__(self) -> str:
        """Write what was found."""
        wait = None if self.asked_s is None else f"(asks to wait {self.asked_s:g} s)"
        return " ".join(filter(None, (f"HTTP {self.status}", self.code, self.message, wait)))


def read_refusal(status: int, body: str, asked_s: float | None = None) -> Refusal:
    """Read the body of a response that is no success.

    Args:
        status: Its HTTP status.
        body: PostgREST's JSON, a gateway's JSON or page, or nothing (HEAD).
        asked_s: How long the server asks to wait, in seconds; None: it does not.

    Returns:
        What it says.

    >>> str(read_refusal(401, '{"code": "PGRST303", "message": "JWT expired"}'))
    'HTTP 401 PGRST303 JWT expired'
    >>> str(read_refusal(502, "<html>Bad gateway</html>"))
    'HTTP 502 <html>Bad gateway</html>'
    """
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return Refusal(status, None, _shortened(body), asked_s)
    # Details of class 23 name the key that is in the way; other details quote whole rows.
    code = document.get("code")
    code = code if isinstance(code, str) else None
    names = ("message", "details", "hint") if code == _UNIQUE else ("message", "hint")
    told = [document[name] for name in names if isinstance(document.get(name), str)]
    return Refusal(status, code, _shortened(" ".join(told)), asked_s)


def refused(call: Call, refusal: Refusal, *, attempts: int, may_have_applied: bool) -> CallError:
    """Say what a refusal means and what to do.

    Args:
        call: What was being done.
        refusal: The last response.
        attempts: How often the call was sent.
        may_have_applied: Whether a change may have been made by one of the attempts.

    Returns:
        The error to raise.
    """
    kind, advice = _meaning(refusal, attempts=attempts)
    sent = f", sent {attempts} times" if attempts > 1 else ""
    return kind(
        call,
        f"the answer is {refusal}{sent}; {advice}",
        status=refusal.status,
        code=refusal.code,
        attempts=attempts,
        may_have_applied=may_have_applied,
    )


def _meaning(refusal: Refusal, *, attempts: int) -> tuple[type[CallError], str]:
    status, code = refusal.status, refusal.code or ""
    if code == _NO_PERMISSION or (status == 403 and not code.startswith(_CONSTRAINTS)):
        return AccessError, (
            "the key's role has no grant for it, or row level security refuses the row; use the service role's key, "
            "and apply the migrations, which carry the grants"
        )
    if status == 401:
        if "expired" in refusal.message.lower():
            return AccessError, "the key has expired; set a new one"
        return AccessError, "the key is not accepted; set a key of this very project, as its API settings show it"
    if code in _UNKNOWN_NAMES or status == 404:
        return MissingNameError, (
            "the database or the API does not know it; apply the migrations in supabase/migrations, "
            "then reload the API's schema cache"
        )
    if status == 409 or code.startswith(_CONSTRAINTS):
        if attempts > 1:
            return ConflictError, "an earlier attempt of this call may be what is in the way; read it back first"
        return ConflictError, "correct the row, or read what is there already"
    if status == 413 or code.startswith("54"):
        return RequestRefusedError, "it is too large; send fewer rows at once"
    if status == 429:
        return UnavailableError, "too many requests; ask again later, or less often"
    if status >= 500:
        return UnavailableError, "the server fails; ask again later, its log says why"
    if 300 <= status < 400:
        return RequestRefusedError, "redirects are not followed; set the project's own address"
    return RequestRefusedError, "the request and the schema disagree; apply the migrations, or correct the values"


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TOLD else f"{line[:_TOLD]}…"
