"""Rows for the scorer, drawn at random, and comparing what came out."""

import numpy as np

from spots_ml.features.contract import RAW_FEATURES
from spots_ml.features.derived import derive
from spots_ml.scoring.inputs import ScoringInputs


def make_inputs(n_rows, seed=0, **changes):
    generator = np.random.default_rng(seed)
    values = {
        "features": derive(generator.random((n_rows, len(RAW_FEATURES)))),
        "history": generator.random((n_rows, 6), dtype=np.float32),
        "hybrid": generator.random(n_rows) < 0.5,
        "trend_boost": generator.uniform(-0.1, 0.2, n_rows),
        "trajectory_potential": generator.random(n_rows),
        "positive_influence": generator.random(n_rows),
        "chance": generator.random((n_rows, 2)),
    }
    return ScoringInputs(**(values | changes))


def take(inputs, rows):
    return ScoringInputs(**{name: None if value is None else value[rows] for name, value in vars(inputs).items()})


def columns(scores):
    told = {name: value for name, value in vars(scores).items() if isinstance(value, np.ndarray)}
    return told | {f"formula {name}": value for name, value in vars(scores.formula).items()}


def assert_same(one, other):
    for name, values in columns(one).items():
        np.testing.assert_array_equal(values, columns(other)[name], err_msg=name)
