"""Files that are either whole or absent: written under a temporary name, flushed, then renamed.

A killed process leaves the old content or the new one, never a part. Temporary names start with `.tmp-`, and no reader
ever looks at those. What the machine says no with is told by `troubles`.
"""

import contextlib
import fcntl
import logging
import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from spots_ml.errors import BusyError, ConfigError
from spots_ml.troubles import TEMPORARY_PREFIX, trouble_at

_LOG: Final = logging.getLogger(__name__)


def _temporary_sibling(path: Path) -> Path:
    return path.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}-{path.name}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Offer a temporary path to write to, and rename it to `path` when the block ends well.

    Args:
        path: The final name; its folder is created. An existing file is replaced.

    Yields:
        The temporary path, in the same folder. When the block raises, it is removed and `path` stays as it was.
    """
    temporary = _temporary_sibling(path)
    with trouble_at(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            _sync(temporary)
            temporary.replace(path)
            _sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def output_file(path: Path, *, sources: Iterable[Path | int] = ()) -> Iterator[Path]:
    """Offer a temporary path for what a person wants written somewhere, and bring it there when the block ends well.

    A regular file is replaced whole, with the rights it had; a link stays, and what it leads to is replaced. Into what
    is no regular file (a device, a FIFO) the content is written: it is never replaced.

    Args:
        path: Where to.
        sources: What is read for it, as paths or open descriptors.

    Yields:
        The temporary path.

    Raises:
        ConfigError: Before anything is written, when one of the sources is the same file, under whatever name.
    """
    if any(is_same_file(path, source) for source in sources):
        raise ConfigError(f"{path} is read for what is to be written to it; name another file for the output")
    with trouble_at(path):
        if path.exists() and not path.is_file():
            with tempfile.TemporaryDirectory(prefix="spots-ml-") as folder:
                temporary = Path(folder) / path.name
                yield temporary
                with path.open("wb") as there, temporary.open("rb") as content:
                    shutil.copyfileobj(content, there)
            return
        target = Path(os.path.realpath(path))
        with whole_file(target) as temporary:
            yield temporary
            if target.exists():
                shutil.copymode(target, temporary)


def is_same_file(path: Path, other: Path | int) -> bool:
    """Tell whether two names lead to one regular file, through links and hard links, too.

    Args:
        path: A path; may not exist.
        other: Another one, or an open descriptor.

    Returns:
        False for devices, FIFOs and what does not exist.
    """
    try:
        one, two = path.stat(), os.stat(other)  # noqa: PTH116 - it may be a descriptor
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(one.st_mode) and os.path.samestat(one, two)


def write_whole(path: Path, content: bytes) -> None:
    """Write bytes so that no reader ever sees a part of them.

    Args:
        path: The final name; its folder is created. An existing file is replaced.
        content: The whole content.
    """
    with whole_file(path) as temporary:
        temporary.write_bytes(content)


def publish_directory(directory: Path, fill: Callable[[Path], object]) -> Path:
    """Create a directory that is either whole or absent; one that exists already is left alone.

    Meant for directories named by the digest of what they hold: whoever finds the name taken finds the same content.

    Args:
        directory: The final name; its parent is created.
        fill: Writes the files into the temporary directory it is given.

    Returns:
        `directory`, which now exists. When `fill` raises, nothing is left behind.

    Raises:
        MachineError: When the directory cannot be put in place.
        OSError: The same, for a reason that `troubles` does not know.
    """
    if directory.is_dir():
        return directory
    temporary = _temporary_sibling(directory)
    with trouble_at(directory):
        directory.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        try:
            fill(temporary)
            for entry in temporary.rglob("*"):
                if entry.is_file() or entry.is_dir():
                    _sync(entry)
            _sync(temporary)
            try:
                temporary.rename(directory)
            except OSError:
                if not directory.is_dir():
                    raise
            _sync(directory.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return directory


@contextlib.contextmanager
def work_folder(parent: Path) -> Iterator[Path]:
    """Offer an empty folder on the same file system as `parent`'s entries.

    Args:
        parent: The folder in which something will be published; created.

    Yields:
        The folder; it is removed with what is left in it when the block ends.
    """
    folder = parent / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}"
    with trouble_at(parent):
        parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def publish(work: Path, folder: Path) -> None:
    """Publish the files of a work folder under a final name.

    Publishing again repairs a folder whose files were damaged or removed since.

    Args:
        work: The files, and nothing else; they are moved away.
        folder: The final name. If it exists, its files are replaced one by one, each of them whole.
    """

    def fill(target: Path) -> None:
        for path in list(work.iterdir()):
            path.replace(target / path.name)

    publish_directory(folder, fill)
    for path in list(work.iterdir()):
        with whole_file(folder / path.name) as temporary:
            path.replace(temporary)


@contextlib.contextmanager
def exclusive(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a lock that the operating system takes back when the process ends, however it ends.

    Args:
        path: The lock file; it and its folder are created, and it stays.
        wait: Whether to wait for whoever holds it, with a word.

    Yields:
        Nothing; the lock is held inside the block.

    Raises:
        BusyError: At once, when another process (or another block of this one) holds it; never when waiting.
    """
    with contextlib.ExitStack() as opened:
        with trouble_at(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = opened.enter_context(path.open("ab"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if not wait:
                raise BusyError(
                    f"another process holds {path}: the same work is under way there; wait for it to end, or end it"
                ) from error
            _LOG.warning("waiting for %s: another process holds it", path)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
