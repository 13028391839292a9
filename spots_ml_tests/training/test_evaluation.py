import numpy as np
import pytest

from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.models.declared import ModelType
from spots_ml.training.config import TrainingConfig
from spots_ml.training.evaluation import Estimate, Evaluation, evaluate, judge


def evaluation_of(model_type: ModelType, errors: dict[str, float | None]) -> Evaluation:
    error = "mse" if model_type == "calling_score" else "brier"
    return Evaluation(
        model_type=model_type,
        n_rows=100,
        n_agents=10,
        n_resamples=20,
        predictors={name: {error: Estimate(value=value, low=None, high=None)} for name, value in errors.items()},
    )


GOOD_SCORE = {"network": 0.020, "constant": 0.028, "formula": 0.025, "ridge": 0.021, "gradient_boosting": 0.021}
GOOD_OUTCOME = {"network": 0.20, "constant": 0.24, "formula": 0.1, "logistic": 0.21, "gradient_boosting": 0.21}


@pytest.mark.parametrize(("model_type", "errors"), [("calling_score", GOOD_SCORE), ("outcome", GOOD_OUTCOME)])
def test_a_network_ahead_of_all_passes(model_type: ModelType, errors: dict[str, float]) -> None:
    verdict = judge(evaluation_of(model_type, errors), TrainingConfig())
    assert verdict.gate == "beats_baselines"
    assert verdict.passed
    assert verdict.required


@pytest.mark.parametrize(
    ("model_type", "name", "error"),
    [
        ("calling_score", "constant", 0.0199),
        ("calling_score", "formula", 0.0199),
        ("calling_score", "formula", 0.020),
        ("calling_score", "ridge", 0.0190),
        ("calling_score", "gradient_boosting", 0.0190),
        ("calling_score", "formula", 0.0201),
        ("outcome", "constant", 0.20),
        ("outcome", "logistic", 0.19),
        ("outcome", "gradient_boosting", 0.19),
    ],
)
def test_a_network_behind_any_one_is_refused_with_the_numbers(model_type: ModelType, name: str, error: float) -> None:
    errors = {**(GOOD_SCORE if model_type == "calling_score" else GOOD_OUTCOME), name: error}
    verdict = judge(evaluation_of(model_type, errors), TrainingConfig())
    assert not verdict.passed
    assert f"{name} {error:.5f} (fails)" in verdict.message


def test_a_simple_learner_may_be_ahead_by_the_margin_but_constant_and_formula_may_not() -> None:
    errors = {**GOOD_SCORE, "ridge": 0.0196}
    assert judge(evaluation_of("calling_score", errors), TrainingConfig(tolerated_excess=0.03)).passed
    assert not judge(evaluation_of("calling_score", errors), TrainingConfig(tolerated_excess=0.01)).passed


@pytest.mark.parametrize("missing", list(GOOD_SCORE))
def test_what_was_not_measured_is_a_no(missing: str) -> None:
    absent = {name: error for name, error in GOOD_SCORE.items() if name != missing}
    assert not judge(evaluation_of("calling_score", absent), TrainingConfig()).passed
    undefined = {**GOOD_SCORE, missing: None}
    assert not judge(evaluation_of("calling_score", undefined), TrainingConfig()).passed


def test_intervals_are_wider_when_the_rows_of_an_agent_resemble_each_other() -> None:
    generator = np.random.default_rng(0)
    agent = np.repeat(np.arange(40), 25)
    shift = generator.normal(size=40)[agent] * 0.2
    widths = []
    for agents in (agent, np.arange(1000)):
        rows = LabelledRows(
            features=np.zeros((1000, 39), np.float32),
            unknown=np.zeros((1000, 39), bool),
            history=np.zeros((1000, 6), np.float32),
            agent=agents,
            scored_at=np.full(1000, np.datetime64("NaT", "us")),
            outcome_score=np.clip(0.5 + shift, 0, 1).astype(np.float32),
            positive=shift > 0.2,
            formula_score=np.full(1000, 0.5, np.float32),
        )
        estimate = evaluate(
            "calling_score",
            rows,
            {"network": np.full(1000, 0.5)},
            formula=np.full(1000, 0.5),
            prevalence=0.5,
            n_resamples=200,
            seed=0,
        ).predictors["network"]["mse"]
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.value is not None
        assert estimate.low < estimate.value < estimate.high
        widths.append(estimate.high - estimate.low)
    assert widths[0] > 2 * widths[1]


def test_headlines_are_numbers_that_are_defined() -> None:
    evaluation = evaluation_of("calling_score", {**GOOD_SCORE, "ridge": None})
    assert evaluation.headlines() == {
        "mse": 0.020,
        "mse_constant": 0.028,
        "mse_formula": 0.025,
        "mse_gradient_boosting": 0.021,
    }
