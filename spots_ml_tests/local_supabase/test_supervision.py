"""Programs that end with whoever started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spots_ml.local_supabase.supervision import Ending, kept_running, supervised

PARENT = """
import os, sys, time
from pathlib import Path
from spots_ml.local_supabase.supervision import Ending, supervised
folder = Path(sys.argv[1])
with supervised([sys.executable, "-c", sys.argv[2]], ending=Ending(seconds=float(sys.argv[3])), cwd=folder,
                env=os.environ, leftovers=(folder / "left", folder / "left.txt")):
    time.sleep(60)
"""
PROGRAM = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {PROGRAM}"


def wait_until(happened):
    deadline = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < deadline, "it did not happen within 20 s"
        time.sleep(0.02)


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout


def written_pid(folder):
    wait_until(lambda: (folder / "pid").exists() and (folder / "pid").read_text())
    return int((folder / "pid").read_text())


def running_program(folder, code, **options):
    return supervised([sys.executable, "-c", code], cwd=folder, env=os.environ, **{"ending": Ending()} | options)


@pytest.mark.parametrize("program", [PROGRAM, STUBBORN], ids=["willing", "stubborn"])
def test_a_killed_parent_takes_its_program_and_the_leftovers_along(tmp_path, program):
    (tmp_path / "left").mkdir()
    (tmp_path / "left.txt").touch()
    with subprocess.Popen([sys.executable, "-c", PARENT, tmp_path, program, "0.5"]) as parent:
        pid = written_pid(tmp_path)
        assert is_running(pid)
        parent.kill()

    wait_until(lambda: not is_running(pid))
    wait_until(lambda: not (tmp_path / "left").exists() and not (tmp_path / "left.txt").exists())


def test_the_program_ends_with_its_block_and_nothing_is_removed(tmp_path):
    with running_program(tmp_path, PROGRAM, leftovers=(tmp_path / "pid",)) as process:
        pid = written_pid(tmp_path)

    assert process.returncode == 128 + signal.SIGTERM
    assert not is_running(pid)
    assert (tmp_path / "pid").exists()


def test_a_program_that_does_not_listen_is_ended_firmly(tmp_path):
    with running_program(tmp_path, STUBBORN, ending=Ending(seconds=0.2)) as process:
        written_pid(tmp_path)

    assert process.returncode == 128 + signal.SIGKILL


def test_what_the_program_started_ends_with_it(tmp_path):
    shell = ["sh", "-c", "sleep 60 & echo $! > pid; wait"]
    with supervised(shell, ending=Ending(), cwd=tmp_path, env=os.environ):
        pid = written_pid(tmp_path)

    wait_until(lambda: not is_running(pid))


def test_a_program_that_ends_by_itself_is_known_by_its_exit_code(tmp_path):
    with running_program(tmp_path, "raise SystemExit(7)") as process:
        assert process.wait(20) == 7


def test_a_program_that_cannot_be_started_says_so_in_a_log_for_the_owner_alone(tmp_path):
    log = tmp_path / "log"
    with supervised([Path("/no/such/program")], ending=Ending(), cwd=tmp_path, env={}, log=log) as process:
        assert process.wait(20) == 127

    assert "No such file or directory: '/no/such/program'" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_program_that_ends_by_itself_is_started_again_until_the_block_is_left(tmp_path):
    def pids():
        return (tmp_path / "pids").read_text().split() if (tmp_path / "pids").exists() else []

    program = "import os, time; open('pids', 'a').write(f'{os.getpid()} '); time.sleep(60)"
    with kept_running(lambda: running_program(tmp_path, program)):
        for number in (1, 2, 3):
            wait_until(lambda number=number: len(pids()) == number)
            os.kill(int(pids()[-1]), signal.SIGKILL)
        wait_until(lambda: len(pids()) == 4)
        assert is_running(int(pids()[-1]))
    assert not is_running(int(pids()[-1]))


def test_a_program_that_cannot_stay_is_not_started_for_ever(tmp_path):
    program = "open('starts', 'a').write('.')"
    with kept_running(lambda: running_program(tmp_path, program), at_most=2):
        wait_until(lambda: (tmp_path / "starts").exists() and len((tmp_path / "starts").read_text()) == 3)
        time.sleep(0.3)
    assert (tmp_path / "starts").read_text() == "..."


def test_what_the_first_start_raises_is_raised(tmp_path):
    def start():
        raise RuntimeError("no node")

    with pytest.raises(RuntimeError, match="no node"), kept_running(start):
        pass
