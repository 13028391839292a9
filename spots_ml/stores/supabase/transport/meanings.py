"""What a refusal means and what to do about it: the only place that knows status and error codes.

Codes that begin with PGRST are PostgREST's (docs.postgrest.org, "Errors"), those of five signs are Postgres' SQLSTATEs,
words are Storage's (supabase.com/docs/guides/storage/debugging/error-codes).
"""

from typing import Final

from spots_ml.stores.supabase.transport.refusals import (
    AccessError,
    Call,
    CallError,
    ConflictError,
    MissingFileError,
    MissingNameError,
    Refusal,
    RequestRefusedError,
    UnavailableError,
)
from spots_ml.stores.supabase.transport.retries import STATEMENT_TIMEOUT

_Meaning = tuple[type[CallError], str]

_UNKNOWN_NAMES: Final = ("PGRST200", "PGRST202", "PGRST203", "PGRST204", "PGRST205", "42P01", "42703", "42883")
_NO_PERMISSION: Final = "42501"
_CONSTRAINTS: Final = "23"
"""Class 23 of the SQLSTATEs: integrity constraint violation."""

_NO_BUCKET: Final = ("Bucket not found", "NoSuchBucket")
_NO_FILE: Final = ("not_found", "NoSuchKey")
_STOPPED: Final = (402, 540)
"""What the platform answers for a project that is restricted or paused."""


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
    of_service = _of_storage if call.service == "storage" else _of_data
    kind, advice = of_service(refusal, attempts) or _of_both(refusal)
    sent = f", sent {attempts} times" if attempts > 1 else ""
    return kind(
        call,
        f"the answer is {refusal}{sent}; {advice}",
        status=refusal.status,
        code=refusal.code,
        attempts=attempts,
        may_have_applied=may_have_applied,
    )


def _of_data(refusal: Refusal, attempts: int) -> _Meaning | None:
    status, code = refusal.status, refusal.code or ""
    if code == _NO_PERMISSION or (status == 403 and not code.startswith(_CONSTRAINTS)):
        return AccessError, (
            "the key's role has no grant for it, or row level security refuses the row; use the service role's key, "
            "and apply the migrations, which carry the grants"
        )
    if status != 401 and (code in _UNKNOWN_NAMES or status == 404):
        return MissingNameError, (
            "the database or the API does not know it; apply the migrations in supabase/migrations, "
            "then reload the API's schema cache"
        )
    if status == 409 or code.startswith(_CONSTRAINTS):
        return ConflictError, _what_is_in_the_way(attempts, "correct the row, or read what is there already")
    if code == STATEMENT_TIMEOUT:
        return UnavailableError, "the statement took longer than the project allows; ask for less at once"
    if status == 413 or code.startswith("54"):
        return RequestRefusedError, "it is too large; send fewer rows at once"
    return None


def _of_storage(refusal: Refusal, attempts: int) -> _Meaning | None:
    status, code, message = refusal.status, refusal.code or "", refusal.message.lower()
    if "jwt" in code.lower() or "jws" in message or "jwt" in message:
        return _key_refused(refusal)
    if status == 403:
        return AccessError, (
            "the key's role may not do this in the bucket; use the service role's key, and apply the migrations, "
            "which carry the bucket's rules"
        )
    if code in _NO_BUCKET or refusal.message in _NO_BUCKET:
        return MissingNameError, "there is no such bucket; apply the migrations in supabase/migrations, which make it"
    if code in _NO_FILE:
        return MissingFileError, "the bucket holds no such file, or does not show it to this key; send it again"
    if status == 404:
        return MissingNameError, "there is no Storage at this address; set the project's own, and turn Storage on"
    if status == 409:
        return ConflictError, _what_is_in_the_way(attempts, "a file has that name already; read it, or take another")
    if status == 413:
        return RequestRefusedError, "the file is too large for the bucket; raise its file_size_limit"
    if status == 415:
        return RequestRefusedError, "the bucket takes no files of that type; change its allowed_mime_types"
    return None


def _of_both(refusal: Refusal) -> _Meaning:
    status = refusal.status
    if status == 401:
        return _key_refused(refusal)
    if status == 429:
        return UnavailableError, "too many requests; ask again later, or less often"
    if status in _STOPPED:
        return UnavailableError, "the project is paused or restricted; its dashboard says why"
    if status >= 500:
        return UnavailableError, "the server fails; ask again later, its log says why"
    if status in (408, 423):
        return UnavailableError, "the server was busy with it for too long; ask again later"
    if 300 <= status < 400:
        return RequestRefusedError, "redirects are not followed; set the project's own address"
    return RequestRefusedError, "the request and the project disagree; apply the migrations, or correct the values"


def _key_refused(refusal: Refusal) -> _Meaning:
    if "expired" in refusal.message.lower() or '"exp"' in refusal.message:
        return AccessError, "the key has expired; set a new one"
    return AccessError, "the key is not accepted; set a key of this very project, as its API settings show it"


def _what_is_in_the_way(attempts: int, advice: str) -> str:
    return "an earlier attempt of this call may be what is in the way; read it back first" if attempts > 1 else advice
