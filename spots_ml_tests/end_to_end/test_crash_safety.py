"""Kill -9 at every step of the chain and at any moment: nothing half-written is read, a later run finishes the work.

The deaths of one test follow each other in one place, from the first step to the last, as a machine that keeps dying
would have it; then one run is left alone.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from spots_ml.defs.history.runs import ACTIVE
from spots_ml.interactions.learning.dataset import labelled_rows
from spots_ml.interactions.learning.splits import split_rows
from spots_ml.interactions.learning.validation import load_dataset
from spots_ml.training.config import load_profile
from spots_ml.training.model import save_trained_model, train_model
from spots_ml_tests.end_to_end.dying import FORKS, Death, settings, start
from spots_ml_tests.end_to_end.wholeness import assert_nothing_is_half_written, assert_one_sound_version_per_model

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc to tell what a process was writing"),
]
KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Undisturbed:
    """A run that nobody killed."""

    root: Path
    touches: list[str]
    duration_s: float
    content: dict[str, str]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """What the job does to the disk when nothing happens, and the models that come out."""
    root = tmp_path_factory.mktemp("undisturbed")
    settings(root)
    process = start(root, record=True)
    process.join()
    _require(process.exitcode == 0, root)
    again = time.monotonic()
    process = start(root)
    process.join()
    _require(process.exitcode == 0, root)
    duration_s = time.monotonic() - again
    assert_nothing_is_half_written(settings(root))
    content = assert_one_sound_version_per_model(settings(root))
    return Undisturbed(root, (root / "touches.txt").read_text().splitlines(), duration_s, content)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A place in which jobs run and die."""
    settings(tmp_path)
    return tmp_path


def _require(condition: bool, root: Path) -> None:
    assert condition, (root / "job.log").read_text()[-3000:]


def die(root: Path, death: Death, **options: Any) -> None:
    """Run until that death, and look at what it left."""
    process = start(root, death, **options)
    process.join()
    assert process.exitcode == KILLED, f"{death} never came: {(root / 'job.log').read_text()[-2000:]}"
    assert_nothing_is_half_written(settings(root))


def finish(root: Path, undisturbed: Undisturbed) -> None:
    """Run to the end: one version per model, the very ones that come out when nothing happens, and nothing hangs."""
    process = start(root)
    process.join()
    _require(process.exitcode == 0, root)
    assert_nothing_is_half_written(settings(root))
    assert assert_one_sound_version_per_model(settings(root)) == undisturbed.content
    with dg.DagsterInstance.from_config(str(root / "home")) as instance:
        assert instance.get_runs(filters=dg.RunsFilter(statuses=list(ACTIVE))) == []


AROUND_COMMITS = ("sql SCRIPT", "sql INSERT INTO version_history", "sql COMMIT", "sql COMMITTED")
JUST_PUBLISHED = ("fsync snapshots", "fsync datasets", "fsync trained", "fsync onnx", "fsync models/calling_score")


def _publishes(touch: str) -> bool:
    return touch.startswith("rename ") or (touch.startswith("replace ") and "/verdict.json" in touch)


def test_killed_before_and_after_each_thing_is_published_and_around_each_commit(
    machine: Path, undisturbed: Undisturbed
) -> None:
    touches = dict.fromkeys(undisturbed.touches)
    deaths = [touch for touch in touches if _publishes(touch) or touch in (*AROUND_COMMITS, *JUST_PUBLISHED)]

    published = {touch.split()[-1].split("/")[0] for touch in deaths}
    assert {"snapshots", "datasets", "data_docs", "trained", "onnx", "benchmarks", "models"} <= published
    assert {*AROUND_COMMITS, *JUST_PUBLISHED} <= set(deaths)
    for touch in deaths:
        die(machine, Death(touch))
    finish(machine, undisturbed)


def test_killed_in_the_middle_of_each_kind_of_file(machine: Path, undisturbed: Undisturbed) -> None:
    first_of_kind = {_kind(touch): touch for touch in reversed(undisturbed.touches) if touch.startswith("half of ")}
    deaths = sorted(first_of_kind.values(), key=undisturbed.touches.index)

    assert len(deaths) >= 9
    for touch in deaths:
        die(machine, Death(touch, occurrence=6 if "checkpoints" in touch else 1))
    finish(machine, undisturbed)


def _kind(touch: str) -> tuple[str, str]:
    """The top folder and the file's name, or its ending where the name is a digest."""
    place = touch.removeprefix("half of ")
    name = place.rpartition("/")[2].removeprefix(".tmp-*-")
    return place.partition("/")[0], ".safetensors" if place.startswith("checkpoints") else name


def test_killed_at_random_moments(machine: Path, undisturbed: Undisturbed) -> None:
    moments = random.Random(20_261_121)
    n_killed = 0
    for _ in range(7):
        process = start(machine)
        process.join(moments.uniform(0.05, 0.95) * undisturbed.duration_s)
        process.kill()
        process.join()
        n_killed += process.exitcode == KILLED
        assert_nothing_is_half_written(settings(machine))

    assert n_killed >= 1
    finish(machine, undisturbed)


def test_killed_while_great_expectations_looks_at_the_dataset(machine: Path, undisturbed: Undisturbed) -> None:
    process = start(machine, real_expectations=True)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    datasets = machine / "data" / "datasets"
    expecting = _wait_for(lambda: any(datasets.glob("[0-9a-f]*")) and children.read_text())
    process.kill()
    process.join()

    assert_nothing_is_half_written(settings(machine))
    assert _wait_for(lambda: not any(map(_is_alive, map(int, expecting.split()))))
    finish(machine, undisturbed)


def _wait_for(condition: Callable[[], Any], timeout_s: float = 90.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (answer := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return answer


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _train(root: Path, dataset_digest: str, checkpoint_dir: Path, die_after: int | None) -> tuple[list[int], str]:
    """Train the calling-score model of a dataset; gives the epochs that were run, and the model's digest."""
    epochs: list[int] = []

    def on_epoch(epoch: Any) -> None:
        epochs.append(epoch.number)
        if epoch.number == die_after:
            os.kill(os.getpid(), signal.SIGKILL)

    report, table = load_dataset(settings(root).data_dir / "datasets", dataset_digest)
    rows = labelled_rows(table)
    model = train_model(
        rows,
        split_rows(rows.agent, rows.scored_at, seed=0),
        "calling_score",
        load_profile(root / "profile.yaml"),
        seed=0,
        dataset_digest=dataset_digest,
        kind=report.kind,
        on_epoch=on_epoch,
        checkpoint_dir=checkpoint_dir,
    )
    return epochs, save_trained_model(model, checkpoint_dir.parent / "trained")


def test_killed_in_training_it_goes_on_from_its_checkpoint_and_ends_with_the_same_model(
    tmp_path: Path, undisturbed: Undisturbed
) -> None:
    dataset_digest = next((undisturbed.root / "data" / "datasets").glob("[0-9a-f]*")).name
    for last in (0, 4, 5):
        process = FORKS.Process(target=_train, args=(undisturbed.root, dataset_digest, tmp_path / "checkpoints", last))
        process.start()
        process.join()
        assert process.exitcode == KILLED

    epochs, digest = _train(undisturbed.root, dataset_digest, tmp_path / "checkpoints", None)

    assert epochs[0] == 6
    assert digest == undisturbed.content["calling_score"]
    assert list((tmp_path / "checkpoints").iterdir()) == []
