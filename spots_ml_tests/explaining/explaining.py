"""Both models trained on few rows, kept and registered as the chain would do it, and requests to explain."""

import dataclasses
import json
from datetime import timedelta
from pathlib import Path

import numpy as np

from spots_ml.digests import digest_bytes
from spots_ml.features.contract import CONTRACT_DIGEST
from spots_ml.interactions.learning.splits import split_rows
from spots_ml.interactions.reading.record_layout import FEATURE_GROUPS
from spots_ml.models.declared import declared_types
from spots_ml.registry.registration import register_version
from spots_ml.release.manifest import ContentDigests
from spots_ml.release.onnx.graph import build_onnx
from spots_ml.stores.embedded.store import embedded_store
from spots_ml.training.config import TrainingConfig
from spots_ml.training.model import save_trained_model, train_model
from spots_ml_tests.registry.blessing import promote_blessed
from spots_ml_tests.registry.building import START, make_manifest
from spots_ml_tests.training.learning_rows import rows_of_a_step

NOW = START + timedelta(days=1)
VERSION = "v1.0-synthetic"
HYBRID_AGENT, FORMULA_AGENT = "agent-1", "agent-2"


@dataclasses.dataclass(frozen=True)
class Place:
    """Data and artifacts of one user."""

    root: Path

    @property
    def store(self):
        return embedded_store(self.root / "data" / "spots_ml.sqlite")

    @property
    def models_dir(self):
        return self.root / "artifacts" / "models"

    @property
    def trained_dir(self):
        return self.root / "artifacts" / "trained"

    @property
    def environ(self):
        return {
            "SPOTS_ML_DATA_DIR": str(self.root / "data"),
            "SPOTS_ML_ARTIFACTS_DIR": str(self.root / "artifacts"),
            "SPOTS_ML_SOURCE": "synthetic",
        }

    def weights(self, model_type):
        version = self.store.versions.get(model_type, VERSION)
        return self.trained_dir / version.content_digest / "weights.safetensors"

    def onnx(self, model_type):
        return self.models_dir / model_type / VERSION / "model.onnx"

    def register(self, model_type, model, network=None, version=VERSION):
        """Register a trained model, and promote the first; another network's ONNX file is not that of the weights."""
        onnx = build_onnx(network or model.network, version=version, trained_digest=model.digest)
        digests = ContentDigests(
            **dict.fromkeys(("snapshot", "dataset", "config", "weights"), digest_bytes(b"")),
            contract=CONTRACT_DIGEST,
            trained=model.digest,
            onnx=digest_bytes(onnx),
        )
        manifest = make_manifest("", version, model_type, onnx=onnx, digests=digests)
        register_version(self.store.versions, self.models_dir, onnx=onnx, manifest=manifest, now=START, actor="test")
        if version == VERSION:
            promote_blessed(self.store.versions, model_type, version, now=START, actor="test", reason="")


def train(model_type, seed=0):
    rows = rows_of_a_step()
    split = split_rows(rows.agent, rows.scored_at, seed=seed)
    config = TrainingConfig(max_epochs=4, n_resamples=20)
    return train_model(rows, split, model_type, config, seed=seed, dataset_digest="d" * 64, kind="synthetic")


def registered(root):
    """Train, keep and register both models."""
    place = Place(root)
    for model_type in declared_types():
        model = train(model_type)
        save_trained_model(model, place.trained_dir)
        place.register(model_type, model)
    return place


def request(agent=HYBRID_AGENT, seed=0, **changes):
    """One request in the app's layout with random features; `changes` are keys of the record."""
    values = np.random.default_rng(seed)
    record = {group: {key: round(values.random(), 4) for key in keys} for group, keys in FEATURE_GROUPS.items()}
    return record | {"agent_id": agent, "opportunity_id": "spot-1", "timestamp": "2026-11-20T10:00:00Z"} | changes


def write_requests(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path
