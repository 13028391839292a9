"""What a call can end in other than an answer. What a refusal means, and what to do, is said in `meanings`."""

import json
import re
from dataclasses import dataclass
from typing import Final, Literal

from spots_ml.errors import ArtifactError, ConfigError, InputError, SpotsMLError

_TOLD: Final = 300
"""How much of a server's text goes into a message, in characters."""

Service = Literal["data", "storage"]
"""What is asked: the tables and functions of the data API, or the files of Storage."""

_UNIQUE: Final = "23505"
_STATUS: Final = re.compile("[45][0-9]{2}")


@dataclass(frozen=True)
class Call:
    """What was being done, for messages.

    Attributes:
        operation: In words, such as "count the labels".
        table: The table, view or function; the bucket and the path in it.
        host: The host that was asked.
        service: What is asked there.
    """

    operation: str
    table: str
    host: str
    service: Service = "data"

    def __str__(self) -> str:
        """Write it as the start of a sentence."""
        return f"could not {self.operation} ({self.table} at {self.host})"


class CallError(SpotsMLError):
    """A call to Supabase that ended in no answer.

    Attributes:
        call: What was being done.
        status: The HTTP status; None: there was no whole response.
        code: PostgREST's, Postgres' or Storage's code; None: none was told.
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
    """A table, column, function or bucket does not exist, or the API does not show it."""


class MissingFileError(CallError, ArtifactError):
    """A bucket does not hold the file, or does not show it."""


class ConflictError(CallError, InputError):
    """What is there already is in the way: a constraint of the database says no, or the file's name is taken."""


class RequestRefusedError(CallError, InputError):
    """The request is not what the API takes: too large, malformed, out of range."""


class UnavailableError(CallError):
    """No connection, no answer in time, or a server that fails; asking again later may help."""


@dataclass(frozen=True)
class Refusal:
    """A response that is no success.

    Attributes:
        status: The HTTP status; the one in the body where Storage tells one there.
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
        body: PostgREST's or Storage's JSON, a gateway's JSON or page, or nothing (HEAD).
        asked_s: How long the server asks to wait, in seconds; None: it does not.

    Returns:
        What it says.

    >>> str(read_refusal(401, '{"code": "PGRST303", "message": "JWT expired"}'))
    'HTTP 401 PGRST303 JWT expired'
    >>> str(read_refusal(400, '{"statusCode": "404", "error": "not_found", "message": "Object not found"}'))
    'HTTP 404 not_found Object not found'
    >>> str(read_refusal(502, "<html>Bad gateway</html>"))
    'HTTP 502 <html>Bad gateway</html>'
    """
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return Refusal(status, None, _shortened(body), asked_s)
    # Storage sends 400 for nearly everything and tells the status in the body.
    told_status = str(document.get("statusCode"))
    code = document.get("code")
    if _STATUS.fullmatch(told_status):
        status = int(told_status)
        code = document.get("error") if code is None else code
    code = code if isinstance(code, str) else None
    # Details of class 23 name the key that is in the way; other details quote whole rows.
    names = ("message", "details", "hint") if code == _UNIQUE else ("message", "hint")
    told = [document[name] for name in names if isinstance(document.get(name), str)]
    return Refusal(status, code, _shortened(" ".join(told)), asked_s)


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TOLD else f"{line[:_TOLD]}…"
