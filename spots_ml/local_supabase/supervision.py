"""Programs that end with this process, also when it is killed.

Each is started by a supervisor that reads from a pipe and ends the program when nobody can write into that pipe any
more. The supervisor is this file, run as a script with the standard library alone so that it starts at once.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

_FAREWELL: Final = b"."
"""Written before the pipe is closed in order: whoever started the program lives and clears up himself."""

_CANNOT_START: Final = 127

_LOOK_S: Final = 0.1
"""How often it is looked whether a program that is kept running still does, in seconds."""


class Ending(NamedTuple):
    """How a program is asked to end.

    Attributes:
        kindly: The signal to begin with.
        seconds: How long it may take then.
        firmly: The signal after that.
    """

    kindly: signal.Signals = signal.SIGTERM
    seconds: float = 10.0
    firmly: signal.Signals = signal.SIGKILL


@contextlib.contextmanager
def supervised(
    command: Sequence[str | Path],
    *,
    ending: Ending,
    cwd: Path,
    env: Mapping[str, str],
    log: Path | None = None,
    identity: Mapping[str, Any] | None = None,
    leftovers: Sequence[Path] = (),
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program in a session of its own, and end it with its process group afterwards.

    Ctrl-C is for this process alone, so that programs end in the order of their blocks.

    Args:
        command: The program and its arguments.
        ending: How it is ended.
        cwd: Its working directory.
        env: Its environment.
        log: The file for its output, which only its owner may read; None: the output of this process.
        identity: `user`, `group` and `extra_groups` as for `subprocess.Popen`, by number; None: those of this process.
        leftovers: Files and folders to be removed after it when this process has been killed.

    Yields:
        The supervisor, which ends when the program does, with its exit code (128 + signal as in a shell).
    """
    orders = {
        "ending": ending,
        "identity": dict(identity or {}),
        "leftovers": [str(path.absolute()) for path in leftovers],
    }
    supervisor = [sys.executable, "-I", "-S", __file__, json.dumps(orders), *map(str, command)]
    with contextlib.ExitStack() as files:
        output = files.enter_context(_opened(log)) if log else None
        process = subprocess.Popen(
            supervisor, cwd=cwd, env=env, stdin=subprocess.PIPE, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        _end(process, ending)


@contextlib.contextmanager
def kept_running(
    start: Callable[[], contextlib.AbstractContextManager["subprocess.Popen[bytes]"]], *, at_most: int = 50
) -> Iterator[None]:
    """Start a program again whenever it ends by itself, until the block is left.

    Args:
        start: Starts it, and yields it once it is ready; called again for every start.
        at_most: How often it is started again; then it stays away, so that one that cannot run is not tried for ever.

    Yields:
        Nothing; the program is ready.

    Raises:
        Exception: Whatever the first start raises; what a later one raises is written to the standard error.
    """
    is_over = threading.Event()
    first = contextlib.ExitStack()
    running = first.enter_context(start())

    def watch() -> None:
        stack, process = first, running
        for n_started in range(at_most + 1):
            with stack:
                while process.poll() is None and not is_over.wait(_LOOK_S):
                    pass
            while not is_over.is_set() and n_started < at_most:
                stack = contextlib.ExitStack()
                try:
                    process = stack.enter_context(start())
                    break
                except Exception as error:  # noqa: BLE001 - told, and tried again
                    sys.stderr.write(f"could not start it again: {error}\n")
                    is_over.wait(1.0)
            if is_over.is_set():
                stack.close()
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _opened(log: Path) -> BinaryIO:
    return open(log, "wb", opener=lambda path, flags: os.open(path, flags, 0o600))


def _end(process: "subprocess.Popen[bytes]", ending: Ending) -> None:
    if process.stdin:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(_FAREWELL)
            process.stdin.flush()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    # Twice the time: the supervisor itself turns from the kind signal to the firm one.
    process.wait(2 * ending.seconds + 10)


class _Supervisor:
    """Runs a program until it ends or the pipe on the standard input is closed.

    Args:
        orders: What `supervised` wants.
        command: The program and its arguments.
    """

    def __init__(self, orders: Mapping[str, Any], command: Sequence[str]) -> None:
        self._ending = Ending(*orders["ending"])
        self._leftovers = [Path(path) for path in orders["leftovers"]]
        self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **orders["identity"])
        self._has_ended = threading.Event()
        self._is_orphan = False

    def run(self) -> int:
        """Wait for the program.

        Returns:
            Its exit code.
        """
        threading.Thread(target=self._end_with_parent, daemon=True).start()
        code = self._child.wait()
        self._has_ended.set()
        if self._is_orphan:
            for path in self._leftovers:
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
        return code if code >= 0 else 128 - code

    def _end_with_parent(self) -> None:
        self._is_orphan = os.read(sys.stdin.fileno(), 1) != _FAREWELL
        for sent in (self._ending.kindly, self._ending.firmly):
            if not self._has_ended.is_set():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._child.pid, sent)
                self._has_ended.wait(self._ending.seconds)


def _main() -> None:
    try:
        supervisor = _Supervisor(json.loads(sys.argv[1]), sys.argv[2:])
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(_CANNOT_START)
    sys.exit(supervisor.run())


if __name__ == "__main__":
    _main()
