"""What simpler predictors make of the same rows: the network has to be worth its trouble."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.models.spec import ModelSpec, Rival
from spots_ml.scoring.formula import formula_score

_LOGISTIC_STEPS = 500
_BOOSTING: Final[dict[str, Any]] = {"max_iter": 150, "max_leaf_nodes": 8, "min_samples_leaf": 50}
"""Smaller trees than scikit-learn's default, which learns the noise of a few thousand rows: a fair opponent."""


def recorded_formula(rows: LabelledRows) -> np.ndarray:
    """Give the formula's calling score: what the record says, computed where it says nothing.

    Args:
        rows: Any rows.

    Returns:
        `(n_rows,)` float64 in [0, 1].
    """
    recorded = rows.formula_score.astype(np.float64)
    missing = np.isnan(recorded)
    if missing.any():
        recorded[missing] = formula_score(rows.features[missing]).score
    return recorded


@dataclass(frozen=True)
class _Race:
    """What a rival may see: the training rows, and the inputs of the test rows."""

    spec: ModelSpec
    train: LabelledRows
    test: LabelledRows
    seed: int

    @property
    def inputs(self) -> np.ndarray:
        return self.train.inputs(self.spec.name)

    @property
    def target(self) -> np.ndarray:
        return self.train.target(self.spec.name)

    @property
    def asked(self) -> np.ndarray:
        return self.test.inputs(self.spec.name)


def _constant(race: _Race) -> np.ndarray:
    return np.full(race.test.n_rows, race.target.mean(dtype=np.float64))


def _formula(race: _Race) -> np.ndarray:
    return recorded_formula(race.test)


def _ridge(race: _Race) -> np.ndarray:
    from sklearn.linear_model import Ridge

    return np.asarray(_standardised(Ridge()).fit(race.inputs.astype(np.float64), race.target).predict(_double(race)))


def _logistic(race: _Race) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    learner = _standardised(LogisticRegression(max_iter=_LOGISTIC_STEPS))
    learner.fit(race.inputs.astype(np.float64), race.target.astype(np.int64))
    return np.asarray(learner.predict_proba(race.asked)[:, 1])


def _gradient_boosting(race: _Race) -> np.ndarray:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    if race.spec.target.is_class:
        classifier = HistGradientBoostingClassifier(random_state=race.seed, **_BOOSTING)
        return np.asarray(classifier.fit(race.inputs, race.target.astype(np.int64)).predict_proba(race.asked)[:, 1])
    regressor = HistGradientBoostingRegressor(random_state=race.seed, **_BOOSTING)
    return np.asarray(regressor.fit(race.inputs, race.target).predict(race.asked))


def _standardised(learner: Any) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), learner)


def _double(race: _Race) -> np.ndarray:
    return race.asked.astype(np.float64)


_RIVALS: Final[dict[Rival, Callable[[_Race], np.ndarray]]] = {
    Rival.CONSTANT: _constant,
    Rival.FORMULA: _formula,
    Rival.RIDGE: _ridge,
    Rival.LOGISTIC: _logistic,
    Rival.GRADIENT_BOOSTING: _gradient_boosting,
}


def baseline_predictions(
    train: LabelledRows, test: LabelledRows, model_type: ModelType, *, seed: int
) -> dict[str, np.ndarray]:
    """Fit the simple learners on the training rows and let everything simple predict the test rows.

    Args:
        train: Rows to fit on, with varying targets.
        test: Rows to predict.
        model_type: Its declaration names the rivals.
        seed: Of gradient boosting.

    Returns:
        `(n_test,)` float64 in [0, 1] by name of the rival, in the order of the declaration.
    """
    from threadpoolctl import threadpool_limits

    race = _Race(model_spec(model_type), train, test, seed)
    with threadpool_limits(1):
        return {str(rival): np.clip(_RIVALS[rival](race), 0.0, 1.0) for rival in race.spec.rivals}
