"""The main job in a process that dies: forks of a warm process, killed before a named touch of the disk or in time.

Nothing here checks anything; what must be true after a death is in `wholeness`.
"""

import contextlib
import functools
import multiprocessing
import os
import re
import signal
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spots_ml.settings import Settings
from spots_ml_tests.end_to_end.sandbox import PROFILE

PRELOAD = [
    "alembic.command",
    "great_expectations",
    "onnx.checker",
    "onnx.helper",
    "onnxruntime",
    "pytest",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "spots_ml.defs.main_job",
    "spots_ml.training.model",
    "torch",
    "torch._dynamo",
]
"""What takes seconds to import, once for all forks; torch imports its compiler at the first step of an optimizer."""

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(PRELOAD)

N_ROWS = 4_000

_UNIQUE = re.compile(r"(?<=\.tmp-)[0-9a-f]{32}|(?<=benchmarks/)(\.tmp-[0-9a-f]+-)?[0-9a-f]{64}")


@dataclass(frozen=True)
class Death:
    """When a process dies by its own SIGKILL.

    Attributes:
        touch: Text of a touch of the disk, as `run_job` records them; the process dies before it happens.
        occurrence: 1: the first time, and so on.
    """

    touch: str
    occurrence: int = 1


def settings(root: Path) -> Settings:
    """Settings of a job whose data, artifacts and profile lie in a folder."""
    profile = root / "profile.yaml"
    if not profile.exists():
        root.mkdir(parents=True, exist_ok=True)
        profile.write_text(PROFILE)
    return Settings(data_dir=root / "data", artifacts_dir=root / "artifacts", profile=profile, synthetic_rows=N_ROWS)


def start(root: Path, death: Death | None = None, *, record: bool = False, real_expectations: bool = False) -> Any:
    """Start the main job in a fork; returns at once.

    Args:
        root: Where it keeps everything.
        death: When it kills itself; None: never.
        record: Write all touches of the disk to `touches.txt`.
        real_expectations: Leave Great Expectations in a process of its own.

    Returns:
        The process; its exit code is 0 when both models were registered.
    """
    process = FORKS.Process(target=_job, args=(root, death, record, real_expectations))
    process.start()
    return process


def _job(root: Path, death: Death | None, record: bool, real_expectations: bool) -> None:
    with (root / "job.log").open("ab", buffering=0) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.environ |= {"DAGSTER_HOME": str(root / "home"), "DAGSTER_DISABLE_TELEMETRY": "yes"}
    from spots_ml.defs import main_job

    _do_less()
    if not real_expectations:
        main_job.ExpectationsProcess = _ExpectationsHere  # type: ignore[misc, assignment]
    touches = _Touches(root, death)
    touches.watch()
    outcome = main_job.run_training(settings(root))
    if record:
        (root / "touches.txt").write_text("\n".join(touches.seen))
    if not all(model.version for model in outcome.models):
        raise SystemExit(f"not registered: {outcome.problems}")


def _do_less() -> None:
    """Run fewer random rows and fewer timed calls; each step still does all that it does."""
    from spots_ml.release.certification import certify as certification
    from spots_ml.release.latency import measuring as latency

    certification.CertificationLimits = functools.partial(  # type: ignore[assignment, misc]
        certification.CertificationLimits, n_random_rows=1_000
    )
    latency.LatencyConfig = functools.partial(  # type: ignore[assignment, misc]
        latency.LatencyConfig, n_runs=200, throughput_s=0.001, batch_sizes=(32,), n_cold_loads=1
    )


class _ExpectationsHere:
    """Great Expectations in this process, which has imported it already."""

    def start(self) -> None: ...

    def submit(self, datasets_dir: Path, digest: str, *, docs_dir: Path) -> None:
        self._request = (datasets_dir, digest, docs_dir)

    def results(self) -> Any:
        from spots_ml.interactions.learning.expectations import check_expectations
        from spots_ml.interactions.learning.validation import load_dataset

        datasets_dir, digest, docs_dir = self._request
        return check_expectations(*load_dataset(datasets_dir, digest), docs_dir=docs_dir)

    def close(self) -> None: ...

    def __enter__(self) -> "_ExpectationsHere":
        return self

    def __exit__(self, *_: object) -> None: ...


class _Touches:
    """Counts what this process does to data and artifacts, and dies when it is time."""

    def __init__(self, root: Path, death: Death | None) -> None:
        self.root, self.death = root, death
        self.seen: list[str] = []

    def watch(self) -> None:
        for name in ("mkdir", "rename", "replace", "unlink"):
            setattr(os, name, self._before(name, getattr(os, name)))
        os.fsync = self._before("fsync", os.fsync)
        whole_write = Path.write_bytes

        def write_bytes(path: Path, content: bytes) -> int:
            self.note("half of", path, first=lambda: whole_write(path, bytes(content)[: len(content) // 2]))
            return whole_write(path, content)

        Path.write_bytes = write_bytes  # type: ignore[method-assign, assignment]
        sqlite3.connect = functools.partial(sqlite3.connect, factory=_connection(self))  # type: ignore[assignment]

    def note(self, what: str, *targets: object, first: Callable[[], object] | None = None) -> None:
        places = [place for target in targets if (place := self._place(target)) is not None]
        if len(places) < len(targets):
            return
        touch = " ".join([what, *places])
        self.seen.append(touch)
        if self.death and touch == self.death.touch and self.seen.count(touch) == self.death.occurrence:
            if first:
                first()
            os.kill(os.getpid(), signal.SIGKILL)

    def _before(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def touching(*args: Any, **options: Any) -> Any:
            self.note(name, *args[: 2 if name in ("rename", "replace") else 1])
            return function(*args, **options)

        return touching

    def _place(self, target: object) -> str | None:
        """Name a file or folder of data or artifacts the same in every run; None for what lies elsewhere."""
        path = Path(f"/proc/self/fd/{target}").readlink() if isinstance(target, int) else Path(str(target))
        for folder in ("data", "artifacts"):
            with contextlib.suppress(ValueError):
                return _UNIQUE.sub("*", str(path.relative_to(self.root / folder)))
        return None


def _connection(touches: _Touches) -> type[sqlite3.Connection]:
    """Build a connection whose writing statements are touches, too; a commit is one before and one after."""

    def note(statement: str) -> None:
        words = statement.split()
        if words[0] not in ("SELECT", "PRAGMA"):
            touches.note(f"sql {' '.join(words[:3])}")

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:  # type: ignore[override]
            note(sql)
            cursor = super().execute(sql, *args)
            if sql == "COMMIT":
                note("COMMITTED")
            return cursor

        def executescript(self, sql: str) -> sqlite3.Cursor:  # type: ignore[override]
            note("SCRIPT")
            return super().executescript(sql)

    return Connection
