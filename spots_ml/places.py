"""Where everything on disk lies: two roots, and the folders and files below them, each named here and nowhere else.

What lies in a folder is said by the module that writes it; the parts below are named by digest, day or version.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOCAL_PROJECT_ENV: Final = Path("local_supabase", "env")
"""Below the data folder: how to reach the Supabase project on this machine, as long as it runs."""


@dataclass(frozen=True)
class Places:
    """Two folders and everything that is found from them; nothing is created by asking.

    Attributes:
        data_dir: What is read and learned from: snapshots, datasets, answers, the embedded store.
        artifacts_dir: What is made: trained models, ONNX files, reports, published versions.
    """

    data_dir: Path
    artifacts_dir: Path

    @property
    def database(self) -> Path:
        """The SQLite file of the embedded store."""
        return self.data_dir / "spots_ml.sqlite"

    @property
    def local_supabase_dir(self) -> Path:
        """What the Supabase project on this machine keeps."""
        return (self.data_dir / LOCAL_PROJECT_ENV).parent

    @property
    def snapshots_dir(self) -> Path:
        """Snapshots of interactions, by digest."""
        return self.data_dir / "snapshots"

    @property
    def datasets_dir(self) -> Path:
        """Validated datasets and their verdicts, by digest."""
        return self.data_dir / "datasets"

    @property
    def data_docs_dir(self) -> Path:
        """Great Expectations' pages, by the dataset's digest."""
        return self.data_dir / "data_docs"

    @property
    def made_dir(self) -> Path:
        """What was made of which inputs, by step and digest of the inputs."""
        return self.data_dir / "made"

    @property
    def scored_dir(self) -> Path:
        """Scored days, by date."""
        return self.data_dir / "scored"

    @property
    def baselines_dir(self) -> Path:
        """What the formula achieved, by digest."""
        return self.data_dir / "baselines"

    @property
    def drills_dir(self) -> Path:
        """Reports of drills, by moment."""
        return self.data_dir / "drills"

    @property
    def trained_dir(self) -> Path:
        """Trained models, by digest."""
        return self.artifacts_dir / "trained"

    @property
    def onnx_dir(self) -> Path:
        """Certified ONNX files, by digest."""
        return self.artifacts_dir / "onnx"

    @property
    def benchmarks_dir(self) -> Path:
        """Latency reports, by digest."""
        return self.artifacts_dir / "benchmarks"

    @property
    def importance_dir(self) -> Path:
        """What the inputs are worth, by digest."""
        return self.artifacts_dir / "importance"

    @property
    def models_dir(self) -> Path:
        """Published versions, by model and version name."""
        return self.artifacts_dir / "models"

    @property
    def run_lock(self) -> Path:
        """What is held by a run of the main job that a person started."""
        return self.data_dir / "run.lock"

    def checkpoints_dir(self, model_type: str) -> Path:
        """Say where a training keeps its state after each epoch.

        Args:
            model_type: Which model.

        Returns:
            The folder.
        """
        return self.data_dir / "checkpoints" / model_type

    def training_lock(self, model_type: str) -> Path:
        """Say what is held while a model is trained.

        Args:
            model_type: Which model.

        Returns:
            The lock file.
        """
        return self.data_dir / f"training-{model_type}.lock"
