"""A candidate beside the active version, on the same rows."""

import numpy as np
import pytest

from spots_ml.registry.gates.champion_gate import against_champion
from spots_ml.release.onnx.predictor import OnnxPredictor
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.registry.building import register_network
from spots_ml_tests.training.learning_rows import rows_of_a_step


class Near:
    """Answers near the truth, as far off as it is told."""

    def __init__(self, rows, off):
        self.answers = np.clip(rows.outcome_score + off, 0, 1)

    def predict(self, inputs):
        return self.answers[: len(inputs)]


@pytest.fixture
def place(tmp_path):
    return embedded_store(tmp_path / "store.sqlite").versions, tmp_path / "models"


@pytest.fixture(scope="module")
def rows():
    return rows_of_a_step(40)


def compare(place, candidate, rows, model_type="calling_score"):
    store, models_dir = place
    return against_champion(store, models_dir, model_type, candidate, rows, n_resamples=50, seed=0)


def activate(place):
    store, models_dir = place
    onnx = register_network(store, models_dir)
    return OnnxPredictor(onnx, "calling_score", time_limit_s=10)


def test_while_nothing_is_active_there_is_nothing_to_be_worse_than(place, rows):
    register_network(*place, active=False)
    found = compare(place, Near(rows, 0.3), rows)
    assert found.verdict.passed
    assert found.comparison is None
    assert found.verdict.measured == {"n_champions": 0.0}


def test_a_version_that_is_the_champion_is_not_worse_than_it(place, rows):
    found = compare(place, activate(place), rows)
    assert found.verdict.passed
    assert found.comparison.better_by.value == 0.0


def test_a_better_one_passes_and_says_by_how_much_of_how_many(place, rows):
    activate(place)
    found = compare(place, Near(rows, 0.05), rows)
    comparison = found.comparison
    assert found.verdict.passed
    assert comparison.better_by.value == pytest.approx(comparison.champions.value - comparison.own.value, abs=1e-7)
    assert comparison.better_by.low > 0
    assert (comparison.better_by.n_rows, comparison.better_by.n_agents) == (400, 40)
    assert "400 rows of 40 agents" in found.verdict.message
    assert "may have learned from some of these rows" in found.verdict.message


@pytest.mark.parametrize(("share", "passes"), [(1.02, True), (1.04, False)])
def test_a_worse_one_is_refused_beyond_the_margin(place, rows, share, passes):
    champion = activate(place)
    answers = champion.predict(rows.features)

    class Worse:
        def predict(self, inputs):
            off = answers - rows.outcome_score
            return rows.outcome_score + off * np.sqrt(share)

    assert compare(place, Worse(), rows).verdict.passed == passes


def test_a_champion_that_cannot_be_read_refuses_with_what_to_do(place, rows):
    activate(place)
    (place[1] / "calling_score" / "v1.0-synthetic" / "model.onnx").unlink()
    found = compare(place, Near(rows, 0.0), rows)
    assert not found.verdict.passed
    assert "cannot be compared with" in found.verdict.message
    assert "restore its files, or make another version active or none" in found.verdict.message
