"""What simpler predictors make of the same rows: the network has to be worth its trouble."""

from collections.abc import Callable
from dataclasses import dataclass
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
_STOPS_EARLY_ABOVE: Final = 10_000
_HELD_OUT_SHARE: Final = 0.1
"""Both are scikit-learn's own: above so many rows, boosting stops when this share of them is predicted no better."""


@dataclass(frozen=True)
class _Race:
    """What a rival may see: the training rows, and the test rows' inputs.

    Training inputs are made as float64, as scikit-learn wants them: what is float32 it copies, more than once.
    """

    spec: ModelSpec
    rows: LabelledRows
    training: np.ndarray
    test: LabelledRows
    seed: int

    @property
    def target(self) -> np.ndarray:
        target: np.ndarray = self.rows.target(self.spec.name)[self.training]
        return target

    @property
    def asked(self) -> np.ndarray:
        return self.test.inputs(self.spec.name)

    def inputs(self, places: np.ndarray | None = None) -> np.ndarray:
        """Make the inputs of the training rows, or of those at some places among them."""
        chosen = self.training if places is None else self.training[places]
        return self.rows.inputs(self.spec.name, chosen, dtype=np.float64)

    def standardised(self) -> tuple[np.ndarray, Any]:
        """Standardise the training inputs where they lie, once; and give the scaler for others."""
        from sklearn.preprocessing import StandardScaler

        inputs, scaler = self.inputs(), StandardScaler(copy=False)
        for block in blocks(len(inputs)):
            scaler.partial_fit(inputs[block])
        return scaler.transform(inputs), scaler


def _constant(race: _Race) -> np.ndarray:
    return np.full(race.test.n_rows, race.target.mean(dtype=np.float64))


def _formula(race: _Race) -> np.ndarray:
    return formula_score(race.test.features).score


def _recorded_score(race: _Race) -> np.ndarray | None:
    """What the records say; nothing where one of them is silent: other rows would be another comparison."""
    recorded = race.test.formula_score.astype(np.float64)
    return None if np.isnan(recorded).any() else recorded


def _ridge(race: _Race) -> np.ndarray:
    from sklearn.linear_model import Ridge

    inputs, scaler = race.standardised()
    asked = scaler.transform(race.asked.astype(np.float64))
    return np.asarray(Ridge(copy_X=False).fit(inputs, race.target).predict(asked))


def _logistic(race: _Race) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    inputs, scaler = race.standardised()
    learner = LogisticRegression(max_iter=_LOGISTIC_STEPS).fit(inputs, race.target.astype(np.int64))
    return np.asarray(learner.predict_proba(scaler.transform(race.asked, copy=True))[:, 1])


def _gradient_boosting(race: _Race) -> np.ndarray:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    is_class = race.spec.target.is_class
    target = race.target.astype(np.int64) if is_class else race.target
    stops_early = len(target) > _STOPS_EARLY_ABOVE
    learner = (HistGradientBoostingClassifier if is_class else HistGradientBoostingRegressor)(
        random_state=race.seed, early_stopping=stops_early, **_BOOSTING
    )
    if stops_early:
        kept, held_out = _held_out(target, is_class, race.seed)
        learner.fit(race.inputs(kept), target[kept], X_val=race.inputs(held_out), y_val=target[held_out])
    else:
        learner.fit(race.inputs(), target)
    return np.asarray(learner.predict_proba(race.asked)[:, 1] if is_class else learner.predict(race.asked))


def _held_out(target: np.ndarray, is_class: bool, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Choose the rows that stop the boosting early as scikit-learn itself does, which copies all inputs for it."""
    from sklearn.model_selection import train_test_split
    from sklearn.utils import check_random_state

    kept, held_out = train_test_split(
        np.arange(len(target)),
        test_size=_HELD_OUT_SHARE,
        stratify=target if is_class else None,
        random_state=check_random_state(seed).randint(np.iinfo(np.uint32).max, dtype="u8"),
    )
    return kept, held_out


_RIVALS: Final[dict[Rival, Callable[[_Race], np.ndarray | None]]] = {
    Rival.CONSTANT: _constant,
    Rival.FORMULA: _formula,
    Rival.RECORDED_SCORE: _recorded_score,
    Rival.RIDGE: _ridge,
    Rival.LOGISTIC: _logistic,
    Rival.GRADIENT_BOOSTING: _gradient_boosting,
}


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
        `(n_test,)` float64 in [0, 1] by name of the rival, in the order of the declaration; without the recorded score
        where a test row has none.
    """
    from threadpoolctl import threadpool_limits

    race = _Race(model_spec(model_type), rows, np.flatnonzero(training), test, seed)
    with threadpool_limits(1):
        found = {str(rival): _RIVALS[rival](race) for rival in race.spec.rivals}
    return {name: np.clip(values, 0.0, 1.0) for name, values in found.items() if values is not None}
