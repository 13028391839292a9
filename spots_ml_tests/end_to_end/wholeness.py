"""What must be true of data, artifacts and registry whenever a process died, and after the run that ended its work."""

import re
import sqlite3
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from spots_ml.digests import digest_file
from spots_ml.features.contract import MODEL_TYPES
from spots_ml.interactions.keeping.snapshot import read_snapshot
from spots_ml.interactions.learning.validation import load_dataset
from spots_ml.registry.verification import Places, verify_version
from spots_ml.release.certification.runtimes import default_runtimes
from spots_ml.release.latency.report import load_latency
from spots_ml.release.manifest import Manifest
from spots_ml.release.onnx.kept_files import load_onnx
from spots_ml.settings import Settings
from spots_ml.stores.embedded.store import EmbeddedStore
from spots_ml.training.checkpoint import load_checkpoint
from spots_ml.training.model import load_trained_model

DIGEST = "[0-9a-f]{64}"
KNOWN = re.compile(
    rf"data/snapshots/{DIGEST}/(interactions\.parquet|snapshot\.json)"
    rf"|data/datasets/{DIGEST}/((accepted|quarantine)\.parquet|(report|verdict)\.json)"
    rf"|data/data_docs/{DIGEST}/.*"
    rf"|data/checkpoints/(calling_score|outcome)/{DIGEST}\.safetensors"
    r"|data/training-(calling_score|outcome)\.lock"
    r"|data/spots_ml\.sqlite(-wal|-shm|\.lock)?"
    rf"|artifacts/trained/{DIGEST}/(weights\.safetensors|model\.json)"
    rf"|artifacts/onnx/{DIGEST}/(model\.onnx|certificate\.json)"
    rf"|artifacts/benchmarks/{DIGEST}/latency\.json"
    r"|artifacts/models/(calling_score|outcome)/v1\.\d+-[a-z]+/(model\.onnx|manifest\.json)"
    r"|artifacts/\.models-(calling_score|outcome)\.lock"
)


def assert_nothing_is_half_written(settings: Settings) -> None:
    """Read everything that has a final name the way the chain reads it, which checks every byte."""
    data, artifacts = settings.data_dir, settings.artifacts_dir
    for digest in _final_names(data / "snapshots"):
        snapshot, batches = read_snapshot(data / "snapshots", digest)
        assert sum(batch.num_rows for batch in batches) == snapshot.n_rows
    for digest in _final_names(data / "datasets"):
        report, rows = load_dataset(data / "datasets", digest)
        assert rows.num_rows == report.n_accepted
    for digest in _final_names(data / "data_docs"):
        pages = [path.name for path in (data / "data_docs" / digest).rglob("*.html")]
        assert {"index.html", "accepted_interactions.html"} <= set(pages), pages
    for digest in _final_names(artifacts / "trained"):
        load_trained_model(artifacts / "trained", digest)
    for digest in _final_names(artifacts / "onnx"):
        load_onnx(artifacts / "onnx", digest)
    for digest in _final_names(artifacts / "benchmarks"):
        load_latency(artifacts / "benchmarks", digest)
    for model_type in MODEL_TYPES:
        checkpoints = data / "checkpoints" / model_type
        for work in _final_names(checkpoints):
            assert load_checkpoint(checkpoints, work.removesuffix(".safetensors"))
        for version in _final_names(artifacts / "models" / model_type):
            directory = artifacts / "models" / model_type / version
            manifest = Manifest.from_file(directory / "manifest.json")
            assert (manifest.version, manifest.digests.onnx) == (version, digest_file(directory / "model.onnx"))
    _assert_leftovers_are_named_so(data.parent)
    _assert_registry_is_consistent(settings)


def assert_one_sound_version_per_model(settings: Settings) -> dict[str, str]:
    """Check what must be there after a run that came to its end.

    Returns:
        Content digest by model type.
    """
    store = EmbeddedStore(settings.database_path)
    versions = store.list_versions()
    assert sorted((one.model_type, one.version) for one in versions) == [
        (model_type, "v1.0-synthetic") for model_type in MODEL_TYPES
    ]
    actions = Counter((entry.model_type, entry.action) for entry in store.history())
    assert [actions[model_type, "registered"] for model_type in MODEL_TYPES] == [1, 1]
    assert {action for _, action in actions} <= {"registered", "reaffirmed"}
    places = places_in(settings.data_dir, settings.artifacts_dir, runtimes=default_runtimes(settings.client_python))
    for version in versions:
        failed = [check for check in verify_version(version, places) if not check.passed]
        assert failed == []
    for model_type in MODEL_TYPES:
        assert list(_final_names(settings.data_dir / "checkpoints" / model_type)) == []
    return {one.model_type: one.content_digest for one in versions}


def places_in(data: Path, artifacts: Path, *, runtimes: Mapping[str, Path]) -> Places:
    """Where `verify_version` looks."""
    return Places(
        models_dir=artifacts / "models",
        onnx_dir=artifacts / "onnx",
        trained_dir=artifacts / "trained",
        datasets_dir=data / "datasets",
        snapshots_dir=data / "snapshots",
        benchmarks_dir=artifacts / "benchmarks",
        runtimes=runtimes,
    )


def _final_names(directory: Path) -> list[str]:
    names = sorted(entry.name for entry in directory.iterdir()) if directory.is_dir() else []
    return [name for name in names if not name.startswith(".tmp-")]


def _assert_leftovers_are_named_so(root: Path) -> None:
    for folder in ("data", "artifacts"):
        for path in (root / folder).rglob("*"):
            name = path.relative_to(root)
            temporary = any(part.startswith(".tmp-") for part in name.parts)
            assert temporary or path.is_dir() or KNOWN.fullmatch(str(name)), f"{name} is no known file and no leftover"


def _assert_registry_is_consistent(settings: Settings) -> None:
    if not settings.database_path.exists():
        return
    connection = sqlite3.connect(settings.database_path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    finally:
        connection.close()
    store = EmbeddedStore(settings.database_path)
    history = [(entry.model_type, entry.version) for entry in store.history() if entry.action == "registered"]
    assert history == [(one.model_type, one.version) for one in store.list_versions()]
    for one in store.list_versions():
        directory = settings.artifacts_dir / "models" / one.model_type / one.version
        assert digest_file(directory / "model.onnx") == one.sha256
        assert digest_file(directory / "manifest.json") == one.manifest_sha256
