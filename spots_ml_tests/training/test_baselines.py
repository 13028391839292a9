import numpy as np
import pytest

from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.interactions.learning.splits import TEST, TRAIN
from spots_ml.models.declared import ModelType, declared_types
from spots_ml.scoring.formula import formula_score
from spots_ml.training.baselines import baseline_predictions, recorded_formula


@pytest.mark.parametrize("model_type", declared_types())
def test_simple_learners_predict_within_bounds_and_the_same_each_time(
    rows: LabelledRows, split: np.ndarray, model_type: ModelType
) -> None:
    train, test = rows.take(split == TRAIN), rows.take(split == TEST)
    first, second = (baseline_predictions(train, test, model_type, seed=0) for _ in range(2))
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
    found = baseline_predictions(train, test, "calling_score", seed=0)["constant"]
    assert found == pytest.approx(train.outcome_score.mean(), abs=1e-6)


def test_the_formula_is_what_the_record_says_and_computed_where_it_says_nothing(rows: LabelledRows) -> None:
    few = rows.take(np.arange(3))
    few.formula_score[1] = 0.25
    found = recorded_formula(few)
    computed = formula_score(few.features).score
    assert found.tolist() == pytest.approx([computed[0], 0.25, computed[2]])
