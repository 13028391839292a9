"""Each kind of trouble of the machine has its own sentence and its own remedy, told by the error's code."""

import contextlib
import errno
import os
import resource
import sqlite3
import tempfile
from pathlib import Path

import pytest

from spots_ml.errors import ArtifactError, BusyError, MachineError, SpotsMLError
from spots_ml.files import whole_file, write_whole
from spots_ml.stores.embedded.store import embedded_store
from spots_ml.troubles import as_error, raise_unless_missing, trouble_at
from spots_ml_tests.stores.keeping_interactions import NOW, interaction, stream, take_in

NOBODY = 65_534


def of_sqlite(code, text="told by SQLite"):
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("number", "found", "remedy"),
    [
        (errno.ENOSPC, "disk is full", "free some space"),
        (errno.EDQUOT, "quota is used up", "free some space"),
        (errno.EMFILE, "this process may open no more files", "ulimit -n"),
        (errno.ENFILE, "this machine may open no more files", "fs.file-max"),
        (errno.EACCES, "not permitted", "ls -ld"),
        (errno.EROFS, "mounted for reading only", "another one"),
        (errno.ENOENT, "no such file or folder", "check the path"),
        (errno.ENOTDIR, "a file stands where a folder is expected", "check the path"),
        (errno.EISDIR, "a folder where a file is expected", "name a file"),
        (errno.EFBIG, "may not grow", "ulimit -f"),
        (errno.EIO, "does not read or write", "keep a copy"),
        (errno.ENOMEM, "no memory", "run less"),
    ],
)
def test_an_error_of_the_system_is_told_by_its_number(number, found, remedy):
    told = str(as_error(OSError(number, os.strerror(number)), "/data/store"))

    assert told.startswith("/data/store: ")
    assert found in told
    assert remedy in told


@pytest.mark.parametrize(
    ("code", "kind", "found", "remedy"),
    [
        (sqlite3.SQLITE_FULL, MachineError, "disk is full", "free some space"),
        (sqlite3.SQLITE_BUSY, BusyError, "another process holds it", "wait until it is done"),
        (sqlite3.SQLITE_BUSY_RECOVERY, BusyError, "another process holds it", "wait until it is done"),
        (sqlite3.SQLITE_READONLY, MachineError, "can be read, but not written", "chmod u\\+w"),
        (sqlite3.SQLITE_READONLY_DBMOVED, MachineError, "moved, deleted or replaced", "put it back"),
        (sqlite3.SQLITE_IOERR_WRITE, MachineError, "does not read or write", "keep a copy"),
        (sqlite3.SQLITE_CORRUPT, ArtifactError, "content is damaged", "keep the file and restore a backup"),
        (sqlite3.SQLITE_NOTADB, ArtifactError, "no SQLite database", "move it away to start an empty store"),
        (sqlite3.SQLITE_CANTOPEN_ISDIR, MachineError, "it is a folder", "name a file"),
    ],
)
def test_an_error_of_sqlite_is_told_by_its_code(tmp_path, code, kind, found, remedy):
    path = tmp_path / "store.sqlite"
    path.touch()

    with pytest.raises(kind, match=f"{path}: .*{found}.*{remedy}"), trouble_at(path):
        raise of_sqlite(code)


def test_only_what_is_no_store_at_all_is_to_be_moved_away():
    codes = [getattr(sqlite3, name) for name in dir(sqlite3) if name.startswith("SQLITE_") and name.isupper()]
    told = {code: str(as_error(of_sqlite(code), "store")) for code in codes if isinstance(code, int)}

    assert {code for code, sentence in told.items() if "empty store" in sentence} <= {sqlite3.SQLITE_NOTADB}


def test_what_an_error_wraps_and_was_raised_from_is_found():
    wrapped = RuntimeError("a library's")
    wrapped.orig = of_sqlite(sqlite3.SQLITE_FULL)
    outer = RuntimeError("another's")
    outer.__cause__ = wrapped

    assert "disk is full" in str(as_error(outer, "dagster_home"))
    assert as_error(RuntimeError("something else")) is None
    assert as_error(sqlite3.IntegrityError("UNIQUE")) is None


def test_what_cannot_be_read_just_now_is_not_taken_for_missing(tmp_path):
    raise_unless_missing(FileNotFoundError(errno.ENOENT, "missing"), tmp_path)
    with pytest.raises(MachineError, match="open no more files"):
        raise_unless_missing(OSError(errno.EMFILE, "too many"), tmp_path)


def told_in_child(work):
    """Run something in a child of this process, whose limits and user may be changed: gives what it raised."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work()
            told = b"nothing was raised"
        except SpotsMLError as error:
            told = f"{type(error).__name__}: {error}".encode()
        except Exception as error:  # noqa: BLE001 - whatever it was is told
            told = f"RAW {error!r}".encode()
        os.write(writing, told)
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as answers:
        return answers.read().decode()


@pytest.fixture
def open_folder():
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


def as_nobody(work):
    def changed():
        if os.geteuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        work()

    return changed


def under(limit, n, work):
    def changed():
        resource.setrlimit(limit, (n, resource.getrlimit(limit)[1]))
        work()

    return changed


def test_a_store_of_mode_000_is_a_matter_of_permission(open_folder):
    path = open_folder / "store.sqlite"
    embedded_store(path)
    for file in open_folder.iterdir():
        file.chmod(0o666)
    path.chmod(0)

    told = told_in_child(as_nobody(lambda: embedded_store(path)))

    assert told.startswith(f"MachineError: {path}: this user is not permitted")


def test_a_store_that_may_only_be_read_says_so_when_it_is_written_to(open_folder):
    path = open_folder / "store.sqlite"
    store = embedded_store(path)
    for file in open_folder.iterdir():
        file.chmod(0o666)
    path.chmod(0o444)

    told = told_in_child(as_nobody(lambda: take_in(store, [interaction(1)])))

    assert told.startswith(f"MachineError: {path}: it can be read, but not written")


def test_a_folder_that_may_only_be_read_is_no_traceback(open_folder):
    (open_folder / "data").mkdir(mode=0o755)

    told = told_in_child(as_nobody(lambda: embedded_store(open_folder / "data" / "store.sqlite")))

    assert told.startswith("MachineError: ")
    assert "not permitted" in told


def test_too_few_descriptors_are_told_as_such(tmp_path):
    path = tmp_path / "store.sqlite"
    store = embedded_store(path)
    taken = []

    def with_none_left():
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        store.interactions.label_watermark()

    told = told_in_child(under(resource.RLIMIT_NOFILE, 64, with_none_left))

    assert told.startswith(f"MachineError: {path}: this process may open no more files")


def test_a_file_that_may_not_grow_leaves_the_old_one(tmp_path):
    path = tmp_path / "answers"
    path.write_bytes(b"old")

    told = told_in_child(under(resource.RLIMIT_FSIZE, 1000, lambda: write_whole(path, b"new" * 1000)))

    assert told.startswith(f"MachineError: {path}: the file may not grow")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_in_the_middle_of_an_import_is_told_and_leaves_the_store_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "store.sqlite"
    store = embedded_store(path)
    connect = sqlite3.connect

    def small(*arguments, **options):
        connection = connect(*arguments, **options)
        n_pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {n_pages + 2}")
        return connection

    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", small)
        with pytest.raises(MachineError, match="the disk is full"):
            take_in(store, [interaction(number) for number in range(2000)])

    assert store.interactions.label_watermark() == "0/0"
    assert take_in(store, [interaction(1)]).n_new == 1


def test_a_damaged_page_is_to_be_kept_and_restored(tmp_path):
    path = tmp_path / "store.sqlite"
    store = embedded_store(path)
    store.interactions.import_interactions(stream([interaction(number) for number in range(500)]), now=NOW)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096 * 5)
        file.write(b"\xff" * (size - 4096 * 5))

    with pytest.raises(ArtifactError, match=r"content is damaged.*keep the file"):
        list(store.interactions.read_interactions().batches)


def test_another_programs_database_is_left_alone(tmp_path):
    path = tmp_path / "store.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    before = path.read_bytes()

    with pytest.raises(ArtifactError, match=r"none of spots_ml \(it has the tables songs\)"):
        embedded_store(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", ["folder", "below a file"])
def test_a_path_of_the_wrong_kind_is_named(tmp_path, content):
    path = tmp_path / "store.sqlite"
    if content == "folder":
        path.mkdir()
        expected = "it is a folder where a file is expected"
    else:
        path.touch()
        path = path / "store.sqlite"
        expected = "a file stands where a folder is expected"

    with pytest.raises(MachineError, match=expected):
        embedded_store(path)


def test_files_name_the_place_and_not_their_temporary_name(tmp_path):
    with pytest.raises(MachineError, match=f"^{tmp_path / 'out'}: the disk is full"), whole_file(tmp_path / "out"):
        raise OSError(errno.ENOSPC, "No space left on device")
