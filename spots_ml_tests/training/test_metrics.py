import math

import numpy as np
import pytest
from sklearn import metrics as peer

from spots_ml.training.metrics import area_under_curve, measure

N_ROWS = 400


@pytest.fixture
def case() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    prediction = generator.random(N_ROWS).round(2)
    return {
        "prediction": prediction,
        "target": (generator.random(N_ROWS) < prediction).astype(np.float32),
        "formula": generator.random(N_ROWS),
        "weight": generator.integers(0, 4, N_ROWS).astype(np.float64),
    }


def outcome_numbers(case: dict[str, np.ndarray], **changes: np.ndarray) -> dict[str, float]:
    case = {**case, **changes}
    return measure("outcome", **case, positive=case["target"] > 0.5, prevalence=0.4)


def test_outcome_numbers_are_those_of_scikit_learn(case: dict[str, np.ndarray]) -> None:
    numbers = outcome_numbers(case)
    target, prediction, weight = case["target"], case["prediction"], case["weight"]
    brier = peer.brier_score_loss(target, prediction, sample_weight=weight)
    constant = peer.brier_score_loss(target, np.full(N_ROWS, 0.4), sample_weight=weight)
    clipped = np.clip(prediction, 1e-7, 1 - 1e-7)
    assert numbers["brier"] == pytest.approx(brier)
    assert numbers["brier_skill"] == pytest.approx(1 - brier / constant)
    assert numbers["log_loss"] == pytest.approx(peer.log_loss(target, clipped, sample_weight=weight))
    assert numbers["auc"] == pytest.approx(peer.roc_auc_score(target, prediction, sample_weight=weight))
    passing = prediction > 0.7
    assert numbers["precision_at_filter"] == pytest.approx(peer.precision_score(target, passing, sample_weight=weight))
    called = case["formula"] >= 0.7
    assert numbers["blocked_share"] == pytest.approx(np.average(~passing[called], weights=weight[called]))


def test_score_numbers_are_those_of_scikit_learn(case: dict[str, np.ndarray]) -> None:
    score = np.random.default_rng(1).random(N_ROWS)
    positive = score >= 0.7
    prediction, weight = case["prediction"], case["weight"]
    numbers = measure(
        "calling_score",
        prediction,
        target=score,
        positive=positive,
        formula=case["formula"],
        prevalence=0.5,
        weight=weight,
    )
    called = prediction >= 0.7
    assert numbers["mse"] == pytest.approx(peer.mean_squared_error(score, prediction, sample_weight=weight))
    assert numbers["mae"] == pytest.approx(peer.mean_absolute_error(score, prediction, sample_weight=weight))
    assert numbers["r2"] == pytest.approx(peer.r2_score(score, prediction, sample_weight=weight))
    assert numbers["accuracy"] == pytest.approx(peer.accuracy_score(positive, called, sample_weight=weight))
    assert numbers["precision"] == pytest.approx(peer.precision_score(positive, called, sample_weight=weight))
    assert numbers["recall"] == pytest.approx(peer.recall_score(positive, called, sample_weight=weight))
    assert numbers["f1"] == pytest.approx(peer.f1_score(positive, called, sample_weight=weight))


def test_ece_of_a_hand_worked_case() -> None:
    numbers = measure(
        "outcome",
        np.array([0.1, 0.1, 0.9, 0.9]),
        target=np.array([0.0, 1.0, 1.0, 1.0]),
        positive=np.array([False, True, True, True]),
        formula=np.zeros(4),
        prevalence=0.5,
        weight=np.ones(4),
    )
    # Half of the rows promise 0.1 and hold 0.5, half promise 0.9 and hold 1.
    assert numbers["ece"] == pytest.approx(0.5 * 0.4 + 0.5 * 0.1)


def test_what_has_no_meaning_is_nan_and_not_zero(case: dict[str, np.ndarray]) -> None:
    low = np.full(N_ROWS, 0.2)
    assert math.isnan(outcome_numbers(case, prediction=low)["precision_at_filter"])
    assert math.isnan(outcome_numbers(case, target=np.ones(N_ROWS))["auc"])
    assert math.isnan(outcome_numbers(case, formula=low)["blocked_share"])


def test_a_certain_mistake_costs_much_and_stays_finite(case: dict[str, np.ndarray]) -> None:
    numbers = outcome_numbers(case, prediction=1.0 - case["target"])
    assert 10 < numbers["log_loss"] < 20


def test_ties_count_half() -> None:
    assert area_under_curve(np.full(4, 0.3), np.array([True, False, True, False]), np.ones(4)) == 0.5


def test_exactly_at_the_filter_is_blocked_and_exactly_at_the_threshold_is_called() -> None:
    edge = np.array([0.7])
    one = {"formula": edge, "weight": np.ones(1), "prevalence": 0.5}
    blocked = measure("outcome", edge, target=np.ones(1), positive=np.array([True]), **one)
    assert blocked["blocked_share"] == 1.0
    called = measure("calling_score", edge, target=edge, positive=np.array([True]), **one)
    assert called["recall"] == 1.0
