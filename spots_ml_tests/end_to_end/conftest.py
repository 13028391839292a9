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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment whose home, data and artifacts belong to this test."""
    home = tmp_path / "dagster_home"
    home.mkdir()
    shutil.copy(PROJECT / "dagster_home" / "dagster.yaml", home)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SPOTS_ML_")}
    return {
        **kept,
        "DAGSTER_HOME": str(home),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "OMP_NUM_THREADS": "1",
        "SPOTS_ML_DATA_DIR": str(tmp_path / "data"),
        "SPOTS_ML_ARTIFACTS_DIR": str(tmp_path / "artifacts"),
    }


@pytest.fixture
def start_dagster_dev(environ: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., DagsterDev]]:
    """Start `dagster dev` with more variables; everything is ended after the test."""
    started: list[DagsterDev] = []

    def start(**more: str) -> DagsterDev:
        port = _free_port()
        log = tmp_path / f"dagster-dev-{port}.log"
        env = {**environ, **more}
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "dagster", "dev", "-w", str(PROJECT / "workspace.yaml"), "-p", str(port)],
                cwd=PROJECT,
                env=env,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        server = DagsterDev(f"http://127.0.0.1:{port}", Path(env["DAGSTER_HOME"]), env, process, log)
        started.append(server)
        _wait_until_it_answers(server)
        return server

    yield start
    for server in started:
        server.stop()
