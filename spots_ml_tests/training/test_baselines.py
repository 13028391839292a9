import dataclasses

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.interactions.learning.splits import TEST, TRAIN
from spots_ml.models.declared import ModelType, declared_types
from spots_ml.scoring.formula import formula_score
from spots_ml.training.baselines import baseline_predictions
from spots_ml_tests.training.learning_rows import rows_of_a_step


@pytest.mark.parametrize("model_type", declared_types())
def test_simple_learners_predict_within_bounds_and_the_same_each_time(
    rows: LabelledRows, split: np.ndarray, model_type: ModelType
) -> None:
    test = rows.take(split == TEST)
    first, second = (baseline_predictions(rows, split == TRAIN, test, model_type, seed=0) for _ in range(2))
    linear = "ridge" if model_type == "calling_score" else "logistic"
    assert list(first) == ["constant", "formula", linear, "gradient_boosting"]
    for name, values in first.items():
        assert values.shape == (test.n_rows,)
        assert np.all((values >= 0) & (values <= 1))
        assert np.array_equal(values, second[name])
    target = test.target(model_type)
    errors = {name: np.mean((values - target) ** 2) for name, values in first.items()}
    assert max(errors["gradient_boosting"], errors[linear]) < errors["constant"]


def test_the_constant_is_the_mean_of_training_and_not_of_test(rows: LabelledRows, split: np.ndarray) -> None:
    train, test = rows.take(split == TRAIN), rows.take(split == TEST)
    found = baseline_predictions(rows, split == TRAIN, test, "calling_score", seed=0)["constant"]
    assert found == pytest.approx(train.outcome_score.mean(), abs=1e-6)


@pytest.mark.parametrize("model_type", declared_types())
def test_the_formula_is_the_apps_own_whatever_the_records_say(
    rows: LabelledRows, split: np.ndarray, model_type: ModelType
) -> None:
    test = rows.take(split == TEST)
    test = dataclasses.replace(test, formula_score=np.full(test.n_rows, 0.25, np.float32))
    found = baseline_predictions(rows, split == TRAIN, test, model_type, seed=0)
    assert found["formula"] == pytest.approx(formula_score(test.features).score)
    assert set(found["recorded_score"]) == {0.25}


def test_a_recorded_score_is_compared_only_where_every_row_has_one(rows: LabelledRows, split: np.ndarray) -> None:
    test = rows.take(split == TEST)
    recorded = np.full(test.n_rows, 0.25, np.float32)
    recorded[3] = np.nan
    test = dataclasses.replace(test, formula_score=recorded)
    assert "recorded_score" not in baseline_predictions(rows, split == TRAIN, test, "calling_score", seed=0)


@pytest.mark.parametrize("model_type", declared_types())
def test_rivals_leave_the_rows_as_they_were(rows: LabelledRows, split: np.ndarray, model_type: ModelType) -> None:
    test = rows.take(split == TEST)
    before = rows.features.copy(), test.features.copy(), test.history.copy()
    baseline_predictions(rows, split == TRAIN, test, model_type, seed=0)
    for was, is_now in zip(before, (rows.features, test.features, test.history), strict=True):
        assert np.array_equal(was, is_now)


def test_linear_rivals_are_those_of_a_plain_pipeline(rows: LabelledRows, split: np.ndarray) -> None:
    train, test = rows.take(split == TRAIN), rows.take(split == TEST)
    ridge = make_pipeline(StandardScaler(), Ridge()).fit(train.features.astype(np.float64), train.outcome_score)
    found = baseline_predictions(rows, split == TRAIN, test, "calling_score", seed=0)["ridge"]
    assert found == pytest.approx(np.clip(ridge.predict(test.features.astype(np.float64)), 0, 1), abs=1e-9)
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    logistic.fit(train.inputs("outcome").astype(np.float64), train.positive)
    found = baseline_predictions(rows, split == TRAIN, test, "outcome", seed=0)["logistic"]
    assert found == pytest.approx(logistic.predict_proba(test.inputs("outcome"))[:, 1], abs=1e-6)


@pytest.mark.parametrize("model_type", declared_types())
def test_boosting_of_many_rows_stops_as_scikit_learn_lets_it_stop(model_type: ModelType) -> None:
    many = rows_of_a_step(1_300, noise=0.3)
    training = np.arange(many.n_rows) < 10_400
    test = many.take(~training)
    found = baseline_predictions(many, training, test, model_type, seed=3)["gradient_boosting"]
    options = {"random_state": 3, "max_iter": 150, "max_leaf_nodes": 8, "min_samples_leaf": 50}
    train, asked = many.take(training), test.inputs(model_type)
    if model_type == "outcome":
        classifier = HistGradientBoostingClassifier(**options).fit(train.inputs(model_type), train.positive.astype(int))
        expected = classifier.predict_proba(asked)[:, 1]
    else:
        expected = (
            HistGradientBoostingRegressor(**options).fit(train.inputs(model_type), train.outcome_score).predict(asked)
        )
    assert np.array_equal(found, np.clip(expected, 0, 1))
