import dataclasses

import numpy as np
import pytest

from spots_ml.digests import canonical_json
from spots_ml.estimates.estimate import Estimate
from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.models.declared import ModelType, declared_types
from spots_ml.models.spec import Demand, Headline, Rival
from spots_ml.training.config import TrainingConfig
from spots_ml.training.evaluation import Evaluation, evaluate, judge_network
from spots_ml.verdicts import Verdict
from spots_ml_tests.models.third_kind import TREND, declaring


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
    verdict = judge_network(evaluation_of(model_type, errors), TrainingConfig())
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
    verdict = judge_network(evaluation_of(model_type, errors), TrainingConfig())
    assert not verdict.passed
    assert f"{name} {error:.5f} (fails)" in verdict.message


def test_a_simple_learner_may_be_ahead_by_the_margin_but_constant_and_formula_may_not() -> None:
    errors = {**GOOD_SCORE, "ridge": 0.0196}
    assert judge_network(evaluation_of("calling_score", errors), TrainingConfig(tolerated_excess=0.03)).passed
    assert not judge_network(evaluation_of("calling_score", errors), TrainingConfig(tolerated_excess=0.01)).passed


@pytest.mark.parametrize("missing", list(GOOD_SCORE))
def test_what_was_not_measured_is_a_no(missing: str) -> None:
    absent = {name: error for name, error in GOOD_SCORE.items() if name != missing}
    assert not judge_network(evaluation_of("calling_score", absent), TrainingConfig()).passed
    undefined = {**GOOD_SCORE, missing: None}
    assert not judge_network(evaluation_of("calling_score", undefined), TrainingConfig()).passed


def test_where_more_is_better_the_network_must_lie_above() -> None:
    known = dataclasses.replace(
        TREND,
        headline=Headline("r2", told="share of the variance", smaller_is_better=False),
        rivals={Rival.FORMULA: Demand.BEAT, Rival.RIDGE: Demand.COME_NEAR},
    )

    def judged(**values: float) -> Verdict:
        found = {name: {"r2": Estimate(value=value, low=None, high=None)} for name, value in values.items()}
        evaluation = Evaluation(model_type="trend", n_rows=100, n_agents=10, n_resamples=20, predictors=found)
        return judge_network(evaluation, TrainingConfig(required_gain=0.1, tolerated_excess=0.1))

    with declaring(known):
        assert judged(network=0.221, formula=0.2, ridge=0.24).passed
        assert not judged(network=0.219, formula=0.2, ridge=0.2).passed
        behind = judged(network=0.22, formula=0.1, ridge=0.25)
        assert not behind.passed
        assert "more than 10.0% above formula, and at least 10.0% below the others" in behind.message
        assert behind.required == pytest.approx({"r2_limit_formula": 0.11, "r2_limit_ridge": 0.225})


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
            opportunity=np.full(1000, -1),
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


def some_test_rows(agent: np.ndarray, seed: int = 0) -> LabelledRows:
    generator = np.random.default_rng(seed)
    n_rows = len(agent)
    score = generator.random(n_rows).astype(np.float32)
    return LabelledRows(
        features=np.zeros((n_rows, 39), np.float32),
        unknown=np.zeros((n_rows, 39), bool),
        history=np.zeros((n_rows, 6), np.float32),
        agent=agent,
        opportunity=np.full(n_rows, -1),
        scored_at=np.full(n_rows, np.datetime64("NaT", "us")),
        outcome_score=score,
        positive=score > 0.7,
        formula_score=np.full(n_rows, 0.5, np.float32),
    )


def evaluated(model_type: ModelType, rows: LabelledRows, predictions: dict[str, np.ndarray]) -> Evaluation:
    formula = np.full(rows.n_rows, 0.5)
    return evaluate(model_type, rows, predictions, formula=formula, prevalence=0.3, n_resamples=50, seed=0)


@pytest.mark.parametrize("model_type", declared_types())
def test_every_number_says_where_its_interval_comes_from_and_of_how_many(model_type: ModelType) -> None:
    rows = some_test_rows(np.arange(300) // 3)
    prediction = np.clip(rows.outcome_score + 0.2, 0, 1)
    found = evaluated(model_type, rows, {"network": prediction}).predictors["network"]
    assert all(estimate.method is not None for estimate in found.values())
    error = found["mse" if model_type == "calling_score" else "brier"]
    assert (error.method, error.n_rows, error.n_agents) == ("expanded_percentile", 300, 100)
    if model_type == "calling_score":
        assert found["precision"].n_rows == np.sum(prediction >= 0.7)


def test_a_test_part_of_one_agent_has_values_and_no_intervals() -> None:
    rows = some_test_rows(np.zeros(300, int))
    found = evaluated("calling_score", rows, {"network": rows.outcome_score + 0.0}).predictors["network"]
    assert found["precision"].value == found["recall"].value == 1.0
    assert all(estimate.low is None and estimate.high is None for estimate in found.values())


def test_the_lead_is_the_difference_of_the_errors_and_surer_than_they_are() -> None:
    rows = some_test_rows(np.arange(400) // 4)
    generator = np.random.default_rng(1)
    network = np.clip(rows.outcome_score + 0.2 * generator.normal(size=400), 0, 1)
    other = np.clip(network + 0.05, 0, 1)
    found = evaluated("calling_score", rows, {"network": network, "constant": other})
    assert list(found.leads) == ["constant"]
    lead, errors = found.leads["constant"], [found.predictors[name]["mse"] for name in ("network", "constant")]
    assert lead.value == pytest.approx(found.value("constant", "mse") - found.value("network", "mse"), abs=1e-8)
    widths = [one.high - one.low for one in (lead, *errors) if one.high is not None and one.low is not None]
    assert len(widths) == 3
    assert widths[0] < 0.7 * min(widths[1:])


def test_an_evaluation_from_before_methods_were_said_opens_and_is_written_as_it_was() -> None:
    before = (
        b'{"model_type":"outcome","n_agents":3,"n_resamples":20,"n_rows":9,'
        b'"predictors":{"network":{"auc":{"high":null,"low":null,"value":null},'
        b'"brier":{"high":0.3,"low":0.1,"value":0.2}}}}'
    )
    evaluation = Evaluation.model_validate_json(before)
    assert evaluation.value("network", "brier") == 0.2
    assert canonical_json(evaluation.model_dump(mode="json")).strip() == before
