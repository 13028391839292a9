"""Small exports to read: records that are right, to be made wrong in one place."""

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from spots_ml.features.contract import CONTEXT_FEATURES, TIMING_FEATURES, VIBE_DIMENSIONS
from spots_ml.interactions.keeping.snapshot import write_snapshot
from spots_ml.interactions.learning.validation import ValidationConfig, build_dataset
from spots_ml.interactions.reading.export import read_export

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def now() -> datetime:
    """The present of every test here."""
    return NOW


@pytest.fixture(scope="session")
def make_record() -> Callable[..., dict[str, Any]]:
    """Make the n-th right record; arguments replace keys or, with `...`, remove them (`a__b` reaches into groups)."""

    def make(number: int = 0, **changes: object) -> dict[str, Any]:
        values = np.random.default_rng(number).uniform(0.1, 0.9, 36).round(4).tolist()
        groups = {
            "user_vibe_dimensions": VIBE_DIMENSIONS,
            "spot_vibe_dimensions": VIBE_DIMENSIONS,
            "context_features": CONTEXT_FEATURES,
            "timing_features": TIMING_FEATURES,
        }
        record: dict[str, Any] = {group: {name: values.pop() for name in names} for group, names in groups.items()}
        record |= {
            "formula_calling_score": values.pop(),
            "is_called": True,
            "outcome_type": "positive" if number % 2 else "neutral",
            "outcome_score": 0.8 if number % 2 else 0.5,
            "agent_id": f"agent-{number % 7}",
            "opportunity_id": f"spot-{number}",
            "timestamp": f"2026-05-01T10:{number // 60 % 60:02}:{number % 60:02}+00:00",
            "outcome_timestamp": f"2026-05-02T10:{number // 60 % 60:02}:{number % 60:02}Z",
        }
        record = copy.deepcopy(record)
        for path, value in changes.items():
            *groups_on_the_way, key = path.split("__")
            target = record
            for group in groups_on_the_way:
                target = target[group]
            if value is ...:
                del target[key]
            else:
                target[key] = value
        return record

    return make


@pytest.fixture
def write_export(tmp_path: Path) -> Callable[..., Path]:
    """Write an export; records that are bytes or text are put in as they are."""

    def write(records: list[Any], *, metadata: object = None, name: str = "export.json") -> Path:
        texts = [
            record if isinstance(record, bytes) else record.encode()
            for record in (each if isinstance(each, bytes | str) else json.dumps(each) for each in records)
        ]
        path = tmp_path / name
        head = json.dumps({"metadata": metadata or {"source": "app"}, "training_data": []})[:-2].encode()
        path.write_bytes(head + b",\n".join(texts) + b"]}")
        return path

    return write


@pytest.fixture
def read_rows() -> Callable[[Path], list[dict[str, Any]]]:
    """Read an export to its end."""

    def read(path: Path) -> list[dict[str, Any]]:
        return pa.Table.from_batches(list(read_export(path).batches)).to_pylist()

    return read


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Any]:
    """Take an export all the way to a dataset in `tmp_path / "datasets"`."""

    def run(path: Path, **thresholds: Any) -> Any:
        snapshot = write_snapshot(read_export(path), tmp_path / "snapshots")
        return build_dataset(
            tmp_path / "snapshots",
            snapshot.digest,
            tmp_path / "datasets",
            config=ValidationConfig(**thresholds),
            now=NOW,
        )

    return run
