"""What simpler predictors make of the same rows: the network has to be worth its trouble."""

from typing import Any, Final

import numpy as np

from spots_ml.features.contract import ModelType
from spots_ml.interactions.learning.dataset import LabelledRows
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


def baseline_predictions(
    train: LabelledRows, test: LabelledRows, model_type: ModelType, *, seed: int
) -> dict[str, np.ndarray]:
    """Fit the simple learners on the training rows and let everything simple predict the test rows.

    Args:
        train: Rows to fit on, with varying targets.
        test: Rows to predict.
        model_type: Ridge regression for the calling score, logistic regression for the outcome model.
        seed: Of gradient boosting.

    Returns:
        `(n_test,)` float64 in [0, 1] under `constant`, `formula`, `ridge` or `logistic`, `gradient_boosting`.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    inputs, target, asked = train.inputs(model_type), train.target(model_type), test.inputs(model_type)
    predictions = {
        "constant": np.full(test.n_rows, target.mean(dtype=np.float64)),
        "formula": recorded_formula(test),
    }
    with threadpool_limits(1):
        if model_type == "calling_score":
            linear = make_pipeline(StandardScaler(), Ridge()).fit(inputs.astype(np.float64), target)
            boosted = HistGradientBoostingRegressor(random_state=seed, **_BOOSTING).fit(inputs, target)
            predictions["ridge"] = linear.predict(asked.astype(np.float64))
            predictions["gradient_boosting"] = boosted.predict(asked)
        else:
            labels = target.astype(np.int64)
            logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=_LOGISTIC_STEPS))
            predictions["logistic"] = logistic.fit(inputs.astype(np.float64), labels).predict_proba(asked)[:, 1]
            classifier = HistGradientBoostingClassifier(random_state=seed, **_BOOSTING).fit(inputs, labels)
            predictions["gradient_boosting"] = classifier.predict_proba(asked)[:, 1]
    return {name: np.clip(values, 0.0, 1.0) for name, values in predictions.items()}
