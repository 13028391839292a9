"""Networks trained once a session: fixtures for the tests of training and of what explains its results."""

import numpy as np
import pytest

from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.interactions.learning.splits import split_rows
from spots_ml.training.config import TrainingConfig
from spots_ml.training.model import TrainedModel, train_model
from spots_ml_tests.training.learning_rows import rows_of_a_step


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
