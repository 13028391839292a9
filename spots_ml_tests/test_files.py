"""Locks between processes: whoever holds one holds it alone."""

import fcntl
import logging

import pytest

from spots_ml import files
from spots_ml.errors import BusyError
from spots_ml.files import exclusive


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
