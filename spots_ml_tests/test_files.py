"""Locks between processes: whoever holds one holds it alone."""

import fcntl

import pytest

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
