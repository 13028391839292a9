import math
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as peer

from spots_ml.estimates.agents import Agents
from spots_ml.models.declared import ModelType, declared_types
from spots_ml.training.metrics import quality

N_ROWS = 400


def measure(model_type: ModelType, prediction: np.ndarray, *, weight: np.ndarray, **case: Any) -> dict[str, float]:
    """Values by name where every row is of an agent of its own, counted as often as its weight says."""
    statistics = quality(model_type, Agents.of(np.arange(len(prediction))), prediction, **case)
    return {name: float(statistic.of(weight[None])[0]) for name, statistic in statistics.items()}


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
    stays = passing & (case["formula"] * prediction >= 0.7)
    assert numbers["blocked_share"] == pytest.approx(np.average(~stays[called], weights=weight[called]))


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


def test_a_call_that_falls_below_the_threshold_with_the_filter_is_taken_away_like_a_blocked_one() -> None:
    one: dict[str, Any] = {"target": np.ones(2), "positive": np.ones(2, bool), "weight": np.ones(2), "prevalence": 0.5}
    # 0.75 x 0.8 is no call any more, although 0.8 is above the filter's 0.7; 0.9 x 0.8 stays one.
    numbers = measure("outcome", np.array([0.8, 0.8]), formula=np.array([0.75, 0.9]), **one)
    assert numbers["blocked_share"] == 0.5


def test_exactly_at_the_filter_is_blocked_and_exactly_at_the_threshold_is_called() -> None:
    edge = np.array([0.7])
    one: dict[str, Any] = {"formula": edge, "weight": np.ones(1), "prevalence": 0.5}
    blocked = measure("outcome", edge, target=np.ones(1), positive=np.array([True]), **one)
    assert blocked["blocked_share"] == 1.0
    called = measure("calling_score", edge, target=edge, positive=np.array([True]), **one)
    assert called["recall"] == 1.0


def test_counting_an_agent_twice_is_repeating_its_rows(case: dict[str, np.ndarray]) -> None:
    agent = np.arange(N_ROWS) % 40
    twice = agent == 7
    doubled = {name: np.concatenate([values, values[twice]]) for name, values in case.items() if name != "weight"}
    for model_type in declared_types():
        weighted, repeated = (
            quality(
                model_type,
                Agents.of(agents),
                rows["prediction"],
                target=rows["target"],
                positive=rows["target"] > 0.5,
                formula=rows["formula"],
                prevalence=0.4,
            )
            for agents, rows in ((agent, case), (np.concatenate([agent, agent[twice]]), doubled))
        )
        counts = np.where(np.arange(40) == 7, 2.0, 1.0)[None]
        for name, statistic in weighted.items():
            assert statistic.of(counts) == pytest.approx(repeated[name].of(np.ones((1, 40)))), name
