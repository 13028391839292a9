import numpy as np
import pytest

from spots_ml.features.derived import derive
from spots_ml.interactions.dataset import LabelledRows
from spots_ml.interactions.splits import split_rows
from spots_ml.training.config import TrainingConfig
from spots_ml.training.model import TrainedModel, train_model

N_AGENTS = 500
ROWS_PER_AGENT = 10


def rows_of_a_step(n_agents: int = N_AGENTS, *, noise: float = 0.05, seed: int = 0) -> LabelledRows:
    """Agents who are content when energy, context and compatibility together are good enough; history tells nothing."""
    generator = np.random.default_rng(seed)
    n_rows = n_agents * ROWS_PER_AGENT
    raw = generator.random((n_rows, 34))
    features = derive(raw)
    index = features[:, 31] + features[:, 24:30].mean(axis=1) + features[:, 30]
    score = np.where(index >= np.median(index), 0.8, 0.3) + noise * generator.normal(size=n_rows)
    score = np.clip(score, 0.0, 1.0).astype(np.float32)
    return LabelledRows(
        features=features,
        unknown=np.zeros(features.shape, dtype=bool),
        history=generator.random((n_rows, 6), dtype=np.float32),
        agent=np.repeat(np.arange(n_agents), ROWS_PER_AGENT),
        scored_at=np.full(n_rows, np.datetime64("NaT", "us")),
        outcome_score=score,
        positive=score >= 0.7,
        formula_score=np.full(n_rows, np.nan, dtype=np.float32),
    )


@pytest.fixture(scope="session")
def rows() -> LabelledRows:
    return rows_of_a_step()


@pytest.fixture(scope="session")
def split(rows: LabelledRows) -> np.ndarray:
    return split_rows(rows.agent, rows.scored_at, seed=0)


@pytest.fixture(scope="session")
def quick() -> TrainingConfig:
    return TrainingConfig(max_epochs=12, n_resamples=20)


@pytest.fixture(scope="session")
def calling_score(rows: LabelledRows, split: np.ndarray, quick: TrainingConfig) -> TrainedModel:
    return train_model(rows, split, "calling_score", quick, seed=0, dataset_digest="d" * 64, kind="synthetic")


@pytest.fixture(scope="session")
def outcome(rows: LabelledRows, split: np.ndarray, quick: TrainingConfig) -> TrainedModel:
    return train_model(rows, split, "outcome", quick, seed=0, dataset_digest="d" * 64, kind="synthetic")
