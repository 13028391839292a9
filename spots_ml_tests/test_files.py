"""Files that are whole or absent, outputs that replace nothing else, and locks between processes."""

import fcntl
import logging
import os
import threading
from pathlib import Path

import pytest

from spots_ml import files
from spots_ml.errors import BusyError, ConfigError
from spots_ml.files import exclusive, output_file


def put(path, content=b"new", **options):
    with output_file(path, **options) as temporary:
        temporary.write_bytes(content)


@pytest.mark.parametrize("wait", [False, True])
def test_a_lock_is_shared_with_nobody(tmp_path, wait):
    path = tmp_path / "folder" / "lock"

    with exclusive(path, wait=wait), path.open("rb") as another:
        with pytest.raises(BlockingIOError):
            fcntl.flock(another, fcntl.LOCK_SH | fcntl.LOCK_NB)
        with pytest.raises(BusyError, match="the same work is under way"), exclusive(path):
            pass


@pytest.mark.parametrize("wait", [False, True])
def test_a_lock_is_given_back_however_the_work_ends(tmp_path, wait):
    path = tmp_path / "lock"
    with pytest.raises(ZeroDivisionError), exclusive(path, wait=wait):
        raise ZeroDivisionError

    with exclusive(path, wait=wait):
        assert path.exists()


def test_who_waits_for_a_lock_says_so(tmp_path):
    path = tmp_path / "lock"
    with path.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        heard = logging.Handler()
        heard.emit = lambda record: (told.append(record.getMessage()), fcntl.flock(held, fcntl.LOCK_UN))
        told = []
        files._LOG.addHandler(heard)
        try:
            with exclusive(path, wait=True):
                pass
        finally:
            files._LOG.removeHandler(heard)

    assert told == [f"waiting for {path}: another process holds it"]


def test_an_output_replaces_a_file_whole_and_keeps_its_rights(tmp_path):
    path = tmp_path / "out"
    path.write_bytes(b"old")
    path.chmod(0o600)

    put(path)

    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o600)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("exists", [True, False])
def test_an_output_follows_a_link_and_leaves_it(tmp_path, exists):
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "target"
    if exists:
        target.write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to("elsewhere/target")

    put(link)

    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_an_output_goes_into_a_fifo_and_leaves_it(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    read = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()))
    reader.start()

    put(fifo)
    reader.join()

    assert read == [b"new"]
    assert fifo.is_fifo()


def test_an_output_goes_into_a_device_and_leaves_it(tmp_path):
    device = tmp_path / "device"
    device.symlink_to(os.devnull)

    put(device)

    assert device.is_char_device()


def test_an_output_that_fails_reaches_neither_a_file_nor_a_fifo(tmp_path):
    path = tmp_path / "out"
    path.write_bytes(b"old")
    os.mkfifo(tmp_path / "fifo")
    for place in (path, tmp_path / "fifo"):
        with pytest.raises(ZeroDivisionError), output_file(place) as temporary:
            temporary.write_bytes(b"half")
            raise ZeroDivisionError

    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("name", ["in", "link", "hard link", "folder/../in"])
def test_an_output_is_not_what_is_read_for_it(tmp_path, name):
    source = tmp_path / "in"
    source.write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(source)
    (tmp_path / "hard link").hardlink_to(source)

    with pytest.raises(ConfigError, match="is read for what is to be written"):
        put(tmp_path / name, sources=[source])
    with source.open("rb") as opened, pytest.raises(ConfigError):
        put(tmp_path / name, sources=[opened.fileno()])
    assert source.read_bytes() == b"old"


def test_reading_and_writing_one_device_is_fine():
    put(Path(os.devnull), sources=[Path(os.devnull)])
