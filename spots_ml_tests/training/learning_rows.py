"""Rows that a network learns quickly, for tests of whatever comes after training."""

import numpy as np

from spots_ml.features.derived import derive
from spots_ml.interactions.learning.dataset import LabelledRows

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
        opportunity=np.full(n_rows, -1),
        scored_at=np.full(n_rows, np.datetime64("NaT", "us")),
        outcome_score=score,
        positive=score >= 0.7,
        formula_score=np.full(n_rows, np.nan, dtype=np.float32),
    )
