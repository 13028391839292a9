"""What the machine says no with (disk, rights, limits, locks), told by the error's code: what is wrong and what helps.

Nothing that is advised here can lose data: a store that cannot be read is kept. What is wrong with content is said by
those who read it.
"""

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spots_ml.errors import ArtifactError, BusyError, MachineError, SpotsMLError

TEMPORARY_PREFIX: Final = ".tmp-"
"""Of names that nobody chose: messages name what they stand for."""


@dataclass(frozen=True)
class _Trouble:
    """One kind of trouble: what is found, what helps, and which error it is."""

    found: str
    remedy: str
    error: type[SpotsMLError] = MachineError


_FULL: Final = _Trouble(
    "the disk is full, or the quota is used up",
    "free some space there, and in the folder for temporary files (TMPDIR); nothing is half-done: then do it again",
)
_OWN_DESCRIPTORS: Final = _Trouble(
    "this process may open no more files", "raise the limit (`ulimit -n 4096`), or run less at once; then do it again"
)
_DESCRIPTORS: Final = _Trouble(
    "this machine may open no more files", "end what holds many open, or raise fs.file-max; then do it again"
)
_PERMISSION: Final = _Trouble(
    "this user is not permitted to use it",
    "see who may with `ls -ld` (folders above it count, too), and give the permission, or run as that user",
)
_READ_ONLY_SYSTEM: Final = _Trouble(
    "its file system is mounted for reading only", "mount it for writing, or name a folder on another one"
)
_READ_ONLY: Final = _Trouble(
    "it can be read, but not written",
    "give this user the permission to write to the file and its folder (`chmod u+w`), or name another folder",
)
_MISSING: Final = _Trouble("there is no such file or folder", "check the path, or create the folder")
_NO_FOLDER: Final = _Trouble("a file stands where a folder is expected", "check the path")
_IS_FOLDER: Final = _Trouble("it is a folder where a file is expected", "name a file, or move the folder away")
_NAME: Final = _Trouble("the name is too long, or links go round in a circle", "choose a shorter path")
_TOO_LARGE: Final = _Trouble(
    "the file may not grow any further", "raise the limit of this process (`ulimit -f unlimited`); then do it again"
)
_DEVICE: Final = _Trouble(
    "the device does not read or write",
    "look for its errors in the system's log, for limits with `ulimit -a` and for space with `df`; keep a copy of the "
    "files before anything is repaired",
)
_MEMORY: Final = _Trouble("the machine has no memory left", "end what needs it, or run less at once; then do it again")
_BUSY: Final = _Trouble(
    "another process holds it", "wait until it is done, or end it; nothing was changed: then do it again", BusyError
)
_NO_LOCKS: Final = _Trouble("its file system gives no locks", "keep it on a local disk")
_MOVED: Final = _Trouble(
    "it was moved, deleted or replaced while it was in use", "put it back, or start again; nothing more was written"
)
_DAMAGED: Final = _Trouble(
    "its content is damaged",
    "keep the file and restore a backup, or save what can still be read with `sqlite3 FILE .recover`",
    ArtifactError,
)
_NO_DATABASE: Final = _Trouble(
    "it is no SQLite database",
    "if it was the store, keep it and restore a backup; if it is something else, move it away to start an empty store",
    ArtifactError,
)

_BY_ERRNO: Final = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EMFILE: _OWN_DESCRIPTORS,
    errno.ENFILE: _DESCRIPTORS,
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.EROFS: _READ_ONLY_SYSTEM,
    errno.ENOENT: _MISSING,
    errno.ENOTDIR: _NO_FOLDER,
    errno.EEXIST: _NO_FOLDER,
    errno.EISDIR: _IS_FOLDER,
    errno.ENAMETOOLONG: _NAME,
    errno.ELOOP: _NAME,
    errno.EFBIG: _TOO_LARGE,
    errno.EIO: _DEVICE,
    errno.ESTALE: _DEVICE,
    errno.ENODEV: _DEVICE,
    errno.ENXIO: _DEVICE,
    errno.ENOMEM: _MEMORY,
    errno.EBUSY: _BUSY,
    errno.ETXTBSY: _BUSY,
    errno.EAGAIN: _BUSY,
    errno.EDEADLK: _BUSY,
    errno.ENOLCK: _NO_LOCKS,
}
_BY_SQLITE_CODE: Final = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_PROTOCOL: _BUSY,
    sqlite3.SQLITE_PERM: _PERMISSION,
    sqlite3.SQLITE_AUTH: _PERMISSION,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_READONLY_DBMOVED: _MOVED,
    sqlite3.SQLITE_IOERR: _DEVICE,
    sqlite3.SQLITE_IOERR_NOMEM: _MEMORY,
    sqlite3.SQLITE_NOMEM: _MEMORY,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _NO_DATABASE,
    sqlite3.SQLITE_CANTOPEN: _PERMISSION,
    sqlite3.SQLITE_CANTOPEN_ISDIR: _IS_FOLDER,
}
"""By extended code where it says more, else by the primary one, which is its last byte."""


def as_error(error: BaseException, place: Path | str | None = None) -> SpotsMLError | None:
    """Put what the machine said into a sentence.

    Args:
        error: What was raised; looked for an `OSError` or an error of SQLite are also what it wraps and its causes.
        place: The file or folder in question, where the error names none.

    Returns:
        The error to raise instead; None when the machine is not what is in trouble.
    """
    for one in _chain(error):
        if isinstance(one, OSError):
            trouble = _BY_ERRNO.get(one.errno or 0)
            named, told = one.filename, one.strerror
        elif isinstance(one, sqlite3.Error):
            trouble, named, told = _of_sqlite(one, place), None, str(one)
        else:
            continue
        if trouble is None:
            return None
        where = _named(named, place)
        return trouble.error(f"{where}: {trouble.found} ({told}); {trouble.remedy}")
    return None


@contextlib.contextmanager
def trouble_at(place: Path | str) -> Iterator[None]:
    """Tell the machine's troubles of a block in sentences.

    Args:
        place: The file or folder that the block works on.

    Yields:
        Nothing.

    Raises:
        SpotsMLError: In place of an error of the operating system or of SQLite whose code is known; others go through.
    """
    try:
        yield
    except Exception as error:
        told = None if isinstance(error, SpotsMLError) else as_error(error, place)
        if told is None:
            raise
        raise told from error


def raise_unless_missing(error: BaseException, place: Path | str) -> None:
    """Raise what the machine said, before somebody advises to make again what is there and cannot be read just now.

    Args:
        error: What reading raised; nothing happens when it is no trouble of the machine, or when no such file is there.
        place: The file.

    Raises:
        SpotsMLError: The sentence about the trouble.
    """
    if isinstance(error, OSError) and _BY_ERRNO.get(error.errno or 0) not in (_MISSING, _NO_FOLDER, _IS_FOLDER):
        told = as_error(error, place)
        if told is not None:
            raise told from error


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, what it wraps (SQLAlchemy's `orig`) and what it was raised from."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        wrapped = getattr(one, "orig", None)
        one = wrapped if isinstance(wrapped, BaseException) else one.__cause__


def _named(found: object, place: Path | str | None) -> str:
    """Name the file that the error names, unless that is one of our temporary names."""
    if isinstance(found, bytes | str | os.PathLike):
        path = Path(os.fsdecode(found))
        if not any(part.startswith(TEMPORARY_PREFIX) for part in path.parts):
            return str(path)
    return "a file of this machine" if place is None else str(place)


def _of_sqlite(error: sqlite3.Error, place: Path | str | None) -> _Trouble | None:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return None
    primary = code & 0xFF
    if primary == sqlite3.SQLITE_CANTOPEN and place is not None:
        return _why_not_opened(Path(place)) or _BY_SQLITE_CODE.get(code, _PERMISSION)
    if primary == sqlite3.SQLITE_READONLY and place is not None and _is_read_only_system(Path(place)):
        return _READ_ONLY_SYSTEM
    return _BY_SQLITE_CODE.get(code) or _BY_SQLITE_CODE.get(primary)


def _why_not_opened(path: Path) -> _Trouble | None:
    """SQLite says of everything that it cannot open it; the system says why."""
    for part, flags in (
        (path.parent, os.O_RDONLY),
        *((path.with_name(path.name + ending), os.O_RDWR) for ending in ("", "-wal", "-shm", "-journal")),
    ):
        try:
            os.close(os.open(part, flags))
        except OSError as error:
            if error.errno != errno.ENOENT or part == path.parent:
                return _BY_ERRNO.get(error.errno or 0)
    return None


def _is_read_only_system(path: Path) -> bool:
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:
        return False
