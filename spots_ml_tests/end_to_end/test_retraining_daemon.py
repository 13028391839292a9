"""Retraining for real: `dagster dev` with its daemon, labels that arrive, and nobody who presses a button."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from spots_ml.defs.jobs import ROLLOUTS
from spots_ml.interactions.generators.export_writing import write_export
from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.interactions.source import InteractionStream
from spots_ml.models.declared import declared_types

PROJECT = Path(__file__).resolve().parents[2]
N_FIRST = 9_000
N_NEW = 1_000
TICK_TIMEOUT_S = 180
RETRAINING_TIMEOUT_S = 420

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

TICKS = """
query Ticks($name: String!) {
  sensorOrError(sensorSelector: {
    repositoryLocationName: "spots_ml", repositoryName: "__repository__", sensorName: $name
  }) {
    ... on Sensor { sensorState { ticks(limit: 3) { status skipReason runIds error { message } } } }
  }
}
"""
LOGS = """
query Logs($run: ID!) {
  logsForRun(runId: $run) { ... on EventConnection { events { ... on EngineEvent { message } } } }
}
"""
RUNS_OF_JOB = """
query RunsOfJob {
  pipelineOrError(params: {
    repositoryLocationName: "spots_ml", repositoryName: "__repository__", pipelineName: "training"
  }) { ... on Pipeline { runs(limit: 5) { runId status } } }
}
"""
RUNS = "{ runsOrError { ... on Runs { results { runId jobName status tags { key value } } } } }"


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two exports of one app: what happened until some day, and the 1,000 interactions after it."""
    rows = pa.Table.from_batches(SeedLaw().generate(N_FIRST + N_NEW, seed=42).batches)
    folder = tmp_path_factory.mktemp("exports")
    parts = {"first.json.gz": rows.slice(0, N_FIRST), "later.json": rows.slice(N_FIRST)}
    for name, part in parts.items():
        stream = InteractionStream("synthetic", iter(part.to_batches()), description=name, watermark=None)
        write_export(stream, folder / name)
    return folder / "first.json.gz", folder / "later.json"


def spots_ml(environ: dict[str, str], *arguments: str) -> str:
    done = subprocess.run([PROJECT / ".venv/bin/spots-ml", *arguments], env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def versions_by_model(server: Any) -> dict[str, list[str]]:
    versions: dict[str, list[str]] = {model: [] for model in declared_types()}
    for row in server.versions():
        versions[row["model_type"]].append(row["version"])
    return versions


def wait_for(what: Callable[[], bool], timeout_s: float, told: Callable[[], object]) -> None:
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline, told()
        time.sleep(2)


def newest_ticks(server: Any) -> dict[str, dict[str, Any]]:
    """The newest finished tick of every sensor, by model; models whose sensor has not ticked are left out."""
    newest = {}
    for model in declared_types():
        ticks = server.graphql(TICKS, name=f"retrain_{model}")["sensorOrError"]["sensorState"]["ticks"]
        finished = [tick for tick in ticks if tick["status"] != "STARTED"]
        assert not [tick["error"] for tick in finished if tick["error"]]
        if finished:
            newest[model] = finished[0]
    return newest


def says(server: Any, beginning: str) -> bool:
    ticks = newest_ticks(server)
    return len(ticks) == len(declared_types()) and all(
        (tick["skipReason"] or "").startswith(beginning) for tick in ticks.values()
    )


def kill_worker(server: Any, job: str) -> str:
    """Kill -9 the process of the running run of a job, and say which run it was."""
    found: list[tuple[str, str]] = []

    def is_found() -> bool:
        started = [run for run in all_runs(server) if run["jobName"] == job and run["status"] == "STARTED"]
        for run in started:
            events = server.graphql(LOGS, run=run["runId"])["logsForRun"]["events"]
            said = " ".join(event.get("message", "") for event in events)
            found.extend((run["runId"], pid) for pid in re.findall(r"Executing steps in process \(pid: (\d+)\)", said))
        return bool(found)

    wait_for(is_found, TICK_TIMEOUT_S, lambda: (all_runs(server), server.log.read_text()))
    os.kill(int(found[0][1]), signal.SIGKILL)
    return found[0][0]


def all_runs(server: Any) -> list[dict[str, Any]]:
    return list(server.graphql(RUNS)["runsOrError"]["results"])


def test_1000_new_labels_lead_to_a_new_version_of_both_models_without_a_hand_and_a_killed_worker_does_not_hinder(
    start_dagster_dev: Callable[..., Any], environ: dict[str, str], exports: tuple[Path, Path]
) -> None:
    environ["SPOTS_ML_SOURCE"] = "embedded"
    first, later = exports
    spots_ml(environ, "import", str(first))
    spots_ml(environ, "run")

    server = start_dagster_dev()
    (by_hand,) = server.graphql(RUNS_OF_JOB)["pipelineOrError"]["runs"]
    assert by_hand["status"] == "SUCCESS"
    assert versions_by_model(server) == {model: ["v1.0-synthetic"] for model in declared_types()}
    wait_for(lambda: says(server, "0 of 1,000 new labels; next by time on "), TICK_TIMEOUT_S, server.log.read_text)

    spots_ml(environ, "import", str(later))
    killed = kill_worker(server, "calling_score_training")
    expected = {model: ["v1.0-synthetic", "v1.1-synthetic"] for model in declared_types()}
    wait_for(
        lambda: versions_by_model(server) == expected,
        RETRAINING_TIMEOUT_S,
        lambda: (versions_by_model(server), newest_ticks(server), all_runs(server), server.log.read_text()),
    )
    wait_for(lambda: says(server, "0 of 1,000 new labels; next by time on "), TICK_TIMEOUT_S, server.log.read_text)

    looks = [run for run in all_runs(server) if run["jobName"] == ROLLOUTS.name]
    assert not [run for run in looks if run["status"] == "FAILURE"]
    runs = [run for run in all_runs(server) if run["jobName"] != ROLLOUTS.name]
    assert sorted((run["jobName"], run["status"]) for run in runs) == [
        ("calling_score_training", "FAILURE"),
        ("calling_score_training", "SUCCESS"),
        ("outcome_training", "SUCCESS"),
        ("training", "SUCCESS"),
    ]
    tags = {run["runId"]: {tag["key"]: tag["value"] for tag in run["tags"]} for run in runs}
    (retry,) = (run["runId"] for run in runs if tags[run["runId"]].get("dagster/parent_run_id") == killed)
    assert tags[killed]["dagster/auto_retry_run_id"] == retry
    reasons = {values["spots_ml/reason"] for values in tags.values() if "spots_ml/reason" in values}
    assert reasons == {"1,000 new labels have arrived (threshold 1,000)"}
