"""What simpler predictors make of the same rows: the network has to be worth its trouble."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.models.spec import ModelSpec, Rival
from spots_ml.scoring.formula import formula_score
from spots_ml.training.moments import blocks

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
    """What a rival may see: inputs and target of the training rows, and the test rows' inputs.

    The training inputs are one array of float64, as scikit-learn wants them: what is float32 it copies, more than once.
    """

    spec: ModelSpec
    inputs: np.ndarray
    target: np.ndarray
    test: LabelledRows
    seed: int

    @property
    def asked(self) -> np.ndarray:
        return self.test.inputs(self.spec.name)

    @cached_property
    def standardised(self) -> tuple[np.ndarray, Any]:
        """Standardise the training inputs, once and where they lie; and give the scaler for others."""
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler(copy=False)
        for block in blocks(len(self.inputs)):
            scaler.partial_fit(self.inputs[block])
        return scaler.transform(self.inputs), scaler


def _constant(race: _Race) -> np.ndarray:
    return np.full(race.test.n_rows, race.target.mean(dtype=np.float64))


def _formula(race: _Race) -> np.ndarray:
    return recorded_formula(race.test)


def _ridge(race: _Race) -> np.ndarray:
    from sklearn.linear_model import Ridge

    inputs, scaler = race.standardised
    asked = scaler.transform(race.asked.astype(np.float64))
    return np.asarray(Ridge(copy_X=False).fit(inputs, race.target).predict(asked))


def _logistic(race: _Race) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    inputs, scaler = race.standardised
    learner = LogisticRegression(max_iter=_LOGISTIC_STEPS).fit(inputs, race.target.astype(np.int64))
    return np.asarray(learner.predict_proba(scaler.transform(race.asked, copy=True))[:, 1])


def _gradient_boosting(race: _Race) -> np.ndarray:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    if race.spec.target.is_class:
        classifier = HistGradientBoostingClassifier(random_state=race.seed, **_BOOSTING)
        return np.asarray(classifier.fit(race.inputs, race.target.astype(np.int64)).predict_proba(race.asked)[:, 1])
    regressor = HistGradientBoostingRegressor(random_state=race.seed, **_BOOSTING)
    return np.asarray(regressor.fit(race.inputs, race.target).predict(race.asked))


_RIVALS: Final[dict[Rival, Callable[[_Race], np.ndarray]]] = {
    Rival.CONSTANT: _constant,
    Rival.FORMULA: _formula,
    Rival.RIDGE: _ridge,
    Rival.LOGISTIC: _logistic,
    Rival.GRADIENT_BOOSTING: _gradient_boosting,
}


_LINEAR: Final = (Rival.RIDGE, Rival.LOGISTIC)
"""They change the training inputs, so they come last."""


def baseline_predictions(
    rows: LabelledRows, training: np.ndarray, test: LabelledRows, model_type: ModelType, *, seed: int
) -> dict[str, np.ndarray]:
    """Fit the simple learners on the training rows and let everything simple predict the test rows.

    Args:
        rows: All rows; not changed.
        training: `(n_rows,)` bool, which of them to fit on; their targets vary.
        test: Rows to predict.
        model_type: Its declaration names the rivals.
        seed: Of gradient boosting.

    Returns:
        `(n_test,)` float64 in [0, 1] by name of the rival, in the order of the declaration.
    """
    from threadpoolctl import threadpool_limits

    spec = model_spec(model_type)
    inputs = rows.inputs(model_type, training, dtype=np.float64)
    race = _Race(spec, inputs, rows.target(model_type)[training], test, seed)
    with threadpool_limits(1):
        found = {rival: _RIVALS[rival](race) for rival in sorted(spec.rivals, key=lambda rival: rival in _LINEAR)}
    return {str(rival): np.clip(found[rival], 0.0, 1.0) for rival in spec.rivals}
