"""A place with data, artifacts and history of its own, and `spots-ml` in it as a user has it."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
PROFILE = "max_epochs: 12\nn_resamples: 20\ntolerated_excess: 1.0\n"
"""With little data and few epochs it is chance which learner is a few percent better; that is not the question here."""


@dataclass(frozen=True)
class Sandbox:
    """Data, artifacts and history of one user."""

    root: Path
    environ: dict[str, str]

    def spots_ml(self, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `spots-ml`."""
        return subprocess.run(
            [PROJECT / ".venv/bin/spots-ml", *map(str, arguments)],
            env=self.environ | variables,
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )

    def read(self, *arguments: object) -> Any:
        """Run a command that must succeed, and parse the JSON it prints."""
        done = self.spots_ml(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def sandbox(root: Path) -> Sandbox:
    """Prepare a folder for a user whose source is 4,000 generated interactions."""
    (root / "profile.yaml").write_text(PROFILE)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SPOTS_ML_")}
    return Sandbox(
        root,
        {
            **kept,
            "DAGSTER_HOME": str(root / "home"),
            "OMP_NUM_THREADS": "1",
            "SPOTS_ML_DATA_DIR": str(root / "data"),
            "SPOTS_ML_ARTIFACTS_DIR": str(root / "artifacts"),
            "SPOTS_ML_PROFILE": str(root / "profile.yaml"),
            "SPOTS_ML_SYNTHETIC_ROWS": "4000",
            "SPOTS_ML_SOURCE": "synthetic",
        },
    )
