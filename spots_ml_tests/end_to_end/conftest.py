"""A real `dagster dev` on a free port, with a home and stores of its own, ended with the test."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from spots_ml.local_supabase.ports import free_port

PROJECT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 30


@dataclass
class DagsterDev:
    """A running `dagster dev`."""

    url: str
    home: Path
    environ: dict[str, str]
    process: subprocess.Popen[bytes]
    log: Path

    def graphql(self, query: str, **variables: Any) -> dict[str, Any]:
        """Ask the web server; fails on errors."""
        request = urllib.request.Request(
            f"{self.url}/graphql",
            data=json.dumps({"query": query, "variables": variables}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer
        return dict(answer["data"])

    def versions(self) -> list[dict[str, Any]]:
        """What `spots-ml versions --json` prints."""
        done = subprocess.run(
            [PROJECT / ".venv/bin/spots-ml", "versions", "--json"], env=self.environ, capture_output=True, check=True
        )
        return list(json.loads(done.stdout))

    def stop(self) -> None:
        """End it and everything it started."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(STOP_TIMEOUT_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def _wait_until_it_answers(server: DagsterDev) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    query = "{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { __typename } } } } }"
    while time.monotonic() < deadline:
        assert server.process.poll() is None, server.log.read_text()[-4000:]
        try:
            entries = server.graphql(query)["workspaceOrError"]["locationEntries"]
            if [entry["locationOrLoadError"]["__typename"] for entry in entries] == ["RepositoryLocation"]:
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError, KeyError, TypeError):
            pass
        time.sleep(0.5)
    raise AssertionError(f"dagster dev did not answer in {START_TIMEOUT_S} s:\n{server.log.read_text()[-4000:]}")


def _own_environ(folder: Path) -> dict[str, str]:
    home = folder / "dagster_home"
    home.mkdir()
    shutil.copy(PROJECT / "dagster_home" / "dagster.yaml", home)
    foreign = ("SPOTS_ML_", "MAKE", "MFLAGS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {
        **kept,
        "DAGSTER_HOME": str(home),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "OMP_NUM_THREADS": "1",
        "SPOTS_ML_DATA_DIR": str(folder / "data"),
        "SPOTS_ML_ARTIFACTS_DIR": str(folder / "artifacts"),
    }


def _launch(command: list[str | Path], port: int, env: dict[str, str], log: Path) -> DagsterDev:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    return DagsterDev(f"http://127.0.0.1:{port}", Path(env["DAGSTER_HOME"]), env, process, log)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment whose home, data and artifacts belong to this test."""
    return _own_environ(tmp_path)


@pytest.fixture
def start_dagster_dev(environ: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., DagsterDev]]:
    """Start `dagster dev` with more variables; everything is ended after the test."""
    started: list[DagsterDev] = []

    def start(**more: str) -> DagsterDev:
        port = free_port()
        command = [sys.executable, "-m", "dagster", "dev", "-w", PROJECT / "workspace.yaml", "-p", str(port)]
        server = _launch(command, port, {**environ, **more}, tmp_path / f"dagster-dev-{port}.log")
        started.append(server)
        _wait_until_it_answers(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="module")
def make_dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterDev]:
    """What `make dev` starts, on ports of its own; ended as Ctrl-C ends it, and then nothing of it may be left."""
    folder = tmp_path_factory.mktemp("make_dev")
    port, docs_port = free_port(), free_port()
    env = {**_own_environ(folder), "SPOTS_ML_DATA_DOCS_URL": f"http://127.0.0.1:{docs_port}"}
    command: list[str | Path] = ["make", "--old-file=setup", "dev", f"DEV_OPTIONS=-p {port}"]
    server = _launch(command, port, env, folder / "make-dev.log")
    try:
        _wait_until_it_answers(server)
        yield server
        os.killpg(server.process.pid, signal.SIGINT)
        server.process.wait(STOP_TIMEOUT_S)
        _wait_until_nobody_listens(docs_port)
    finally:
        server.stop()


def _wait_until_nobody_listens(port: int) -> None:
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return
        time.sleep(0.2)
    raise AssertionError(f"{STOP_TIMEOUT_S} s after Ctrl-C something still listens on port {port}")
