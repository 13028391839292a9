"""Versions that the real chain registered in a place of their own, what they were made from, and the app's side."""

import io
import json
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spots_ml.defs.main_job import JobResult, run_training
from spots_ml.interactions.generators.export_writing import write_export
from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.interactions.learning.dataset import LabelledRows, labelled_rows
from spots_ml.interactions.learning.splits import split_rows
from spots_ml.interactions.learning.validation import load_dataset
from spots_ml.interactions.reading.export import read_export
from spots_ml.interactions.source import InteractionStream
from spots_ml.models.declared import ModelType, declared_types
from spots_ml.release.manifest import Manifest
from spots_ml.settings import PROJECT_ROOT, Settings
from spots_ml.stores.embedded.store import embedded_store
from spots_ml.training.model import load_trained_model
from spots_ml.training.trained_model import TrainedModel
from spots_ml_tests.places import REFERENCE_DIR

IN_THE_APP = """
import io, json, sys
import numpy as np, onnxruntime as ort
given = np.load(io.BytesIO(sys.stdin.buffer.read()))
session = ort.InferenceSession(given["model"].tobytes(), providers=["CPUExecutionProvider"])
one = session.run(["output"], {"input": given["rows"][:1]})[0]
all_rows = session.run(["output"], {"input": given["rows"]})[0]
print(json.dumps({"runtime": ort.__version__, "one": one.tolist(), "all": all_rows[:, 0].tolist()}))
"""
"""What the phone does: the model from bytes, raw contract values in."""


@dataclass(frozen=True)
class Registered:
    """A version that the chain registered, and what it was made from."""

    manifest: Manifest
    directory: Path
    model: TrainedModel
    rows: LabelledRows
    split: np.ndarray
    export: Path

    @property
    def onnx(self) -> bytes:
        return (self.directory / "model.onnx").read_bytes()

    def part(self, part: int) -> tuple[np.ndarray, np.ndarray]:
        """Raw contract values and targets of one part of the split."""
        rows = self.rows.take(self.split == part)
        return rows.inputs(self.manifest.model_type), rows.target(self.manifest.model_type)


def seed_export(folder: Path) -> Path:
    """The real seed export where it is laid out, one of as many generated interactions elsewhere."""
    path = REFERENCE_DIR / "calling_score_training_data.json.gz"
    if not path.exists():
        path = folder / "export.json.gz"
        write_export(SeedLaw().generate(10_000, seed=42), path)
    return path


def interactions_of_agents() -> InteractionStream:
    """Interactions of agents who have many each: the real hybrid export where it is laid out."""
    path = REFERENCE_DIR / "calling_score_training_data_v1_hybrid.json.gz"
    return read_export(path) if path.exists() else SeedLaw().generate(10_000, seed=1)


def run_chain(
    root: Path, model_types: tuple[ModelType, ...] = declared_types(), **changes: Any
) -> tuple[JobResult, Settings]:
    """Run the main job with everything in one folder; `changes` are fields of the settings."""
    settings = replace(Settings(data_dir=root / "data", artifacts_dir=root / "artifacts"), **changes)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DAGSTER_HOME", str(root / "home"))
        return run_training(settings, model_types), settings


def registered(settings: Settings, model_type: ModelType) -> Registered:
    """Load the only version of a model."""
    export_path = settings.export_path
    assert export_path is not None
    [version] = embedded_store(settings.places.database).versions.list_versions(model_type)
    directory = settings.places.models_dir / model_type / version.version
    manifest = Manifest.from_file(directory / "manifest.json")
    rows = labelled_rows(load_dataset(settings.places.datasets_dir, manifest.digests.dataset)[1])
    model = load_trained_model(settings.places.trained_dir, manifest.digests.trained)
    split = split_rows(rows.agent, rows.scored_at, seed=manifest.seed)
    return Registered(manifest, directory, model, rows, split, export_path)


def answer_in_the_app(content: bytes, rows: np.ndarray) -> dict[str, Any]:
    """Give a file's bytes and raw rows to the app's runtime, in an empty folder that stays empty."""
    message = io.BytesIO()
    np.savez(message, model=np.frombuffer(content, np.uint8), rows=rows)
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run(
            [PROJECT_ROOT / ".venv-client/bin/python", "-I", "-c", IN_THE_APP],
            input=message.getvalue(),
            cwd=empty,
            capture_output=True,
            check=True,
        )
        assert list(Path(empty).iterdir()) == []
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["runtime"].startswith("1.15.")
    return answer
