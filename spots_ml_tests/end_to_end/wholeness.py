"""What must be true of data, artifacts and registry whenever a process died, and after the run that ended its work."""

import re
import sqlite3
from collections import Counter
from pathlib import Path

from spots_ml.digests import digest_file, unseal
from spots_ml.interactions.keeping.snapshot import read_snapshot
from spots_ml.interactions.learning.validation import load_dataset
from spots_ml.models.declared import declared_types
from spots_ml.registry.verification import verify_version
from spots_ml.release.certification.certify import default_runtimes
from spots_ml.release.latency.report import load_latency
from spots_ml.release.manifest import Manifest
from spots_ml.release.onnx.kept_files import load_onnx
from spots_ml.settings import Settings
from spots_ml.stores.embedded.store import embedded_store
from spots_ml.training.checkpoint import load_checkpoint
from spots_ml.training.model import load_trained_model

DIGEST = "[0-9a-f]{64}"
KNOWN = re.compile(
    rf"data/snapshots/{DIGEST}/(interactions\.parquet|snapshot\.json)"
    rf"|data/datasets/{DIGEST}/((accepted|quarantine)\.parquet|(report|verdict)\.json)"
    rf"|data/data_docs/{DIGEST}/.*"
    rf"|data/checkpoints/(calling_score|outcome)/{DIGEST}\.safetensors"
    r"|data/training-(calling_score|outcome)\.lock"
    r"|data/run\.lock"
    rf"|data/made/[a-z_]+/{DIGEST}\.(json|lock)"
    r"|data/spots_ml\.sqlite(-wal|-shm|\.lock)?"
    rf"|artifacts/trained/{DIGEST}/(weights\.safetensors|model\.json)"
    rf"|artifacts/onnx/{DIGEST}/(model\.onnx|certificate\.json)"
    rf"|artifacts/benchmarks/{DIGEST}/latency\.json"
    r"|artifacts/models/(calling_score|outcome)/v1\.\d+-[a-z]+/(model\.onnx|manifest\.json)"
    r"|artifacts/\.models-(calling_score|outcome)\.lock"
)


def assert_nothing_is_half_written(settings: Settings) -> None:
    """Read everything that has a final name the way the chain reads it, which checks every byte."""
    places = settings.places
    for digest in _final_names(places.snapshots_dir):
        snapshot, batches = read_snapshot(places.snapshots_dir, digest)
        assert sum(batch.num_rows for batch in batches) == snapshot.n_rows
    for digest in _final_names(places.datasets_dir):
        report, rows = load_dataset(places.datasets_dir, digest)
        assert rows.num_rows == report.n_accepted
    for digest in _final_names(places.data_docs_dir):
        pages = [path.name for path in (places.data_docs_dir / digest).rglob("*.html")]
        assert {"index.html", "accepted_interactions.html"} <= set(pages), pages
    for digest in _final_names(places.trained_dir):
        load_trained_model(places.trained_dir, digest)
    for digest in _final_names(places.onnx_dir):
        load_onnx(places.onnx_dir, digest)
    for digest in _final_names(places.benchmarks_dir):
        load_latency(places.benchmarks_dir, digest)
    for made in places.made_dir.glob("*/[0-9a-f]*.json"):
        assert unseal(made.read_bytes())
    for model_type in declared_types():
        checkpoints = places.checkpoints_dir(model_type)
        for work in _final_names(checkpoints):
            assert load_checkpoint(checkpoints, work.removesuffix(".safetensors"))
        for version in _final_names(places.models_dir / model_type):
            directory = places.models_dir / model_type / version
            manifest = Manifest.from_file(directory / "manifest.json")
            assert (manifest.version, manifest.digests.onnx) == (version, digest_file(directory / "model.onnx"))
    _assert_leftovers_are_named_so(settings.data_dir.parent)
    _assert_registry_is_consistent(settings)


def assert_one_sound_version_per_model(settings: Settings) -> dict[str, str]:
    """Check what must be there after a run that came to its end.

    Returns:
        Content digest by model type.
    """
    store = embedded_store(settings.places.database)
    versions = store.versions.list_versions()
    assert sorted((one.model_type, one.version) for one in versions) == [
        (model_type, "v1.0-synthetic") for model_type in declared_types()
    ]
    actions = Counter((entry.model_type, entry.action) for entry in store.versions.history())
    assert [actions[model_type, "registered"] for model_type in declared_types()] == [1, 1]
    assert {action for _, action in actions} <= {"registered", "reaffirmed"}
    runtimes = default_runtimes(settings.client_python)
    for version in versions:
        checks = verify_version(version, settings.places, runtimes=runtimes)
        failed = [check for check in checks if not check.passed]
        assert failed == []
    for model_type in declared_types():
        assert list(_final_names(settings.places.checkpoints_dir(model_type))) == []
    return {one.model_type: one.content_digest for one in versions}


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
    if not settings.places.database.exists():
        return
    connection = sqlite3.connect(settings.places.database)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    finally:
        connection.close()
    store = embedded_store(settings.places.database)
    history = [(entry.model_type, entry.version) for entry in store.versions.history() if entry.action == "registered"]
    assert history == [(one.model_type, one.version) for one in store.versions.list_versions()]
    for one in store.versions.list_versions():
        directory = settings.places.models_dir / one.model_type / one.version
        assert digest_file(directory / "model.onnx") == one.sha256
        assert digest_file(directory / "manifest.json") == one.manifest_sha256
