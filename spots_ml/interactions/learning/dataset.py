"""The labelled, validated rows as arrays: what training and evaluation take. Storage is in `stores`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute

from spots_ml.features.contract import FEATURES, HISTORY_FEATURES, UNKNOWN_VALUE
from spots_ml.interactions.agent_column import agents_by_appearance
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.models.spec import Target


@dataclass(frozen=True)
class LabelledRows:
    """Labelled interactions in the order of their source.

    Attributes:
        features: `(n_rows, 39)` float32 in [0, 1], contract order; unknown is 0.5, as the app feeds it.
        unknown: `(n_rows, 39)` bool; where a feature was unknown.
        history: `(n_rows, 6)` float32 in [0, 1], point in time.
        agent: `(n_rows,)` int64 codes; rows without an agent have a code of their own each.
        scored_at: `(n_rows,)` datetime64[us] in UTC; NaT where unknown.
        outcome_score: `(n_rows,)` float32 in [0, 1].
        positive: `(n_rows,)` bool; whether the outcome type is `positive`.
        formula_score: `(n_rows,)` float32 in [0, 1]; NaN where the record had none.
    """

    features: np.ndarray
    unknown: np.ndarray
    history: np.ndarray
    agent: np.ndarray
    scored_at: np.ndarray
    outcome_score: np.ndarray
    positive: np.ndarray
    formula_score: np.ndarray

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.features)

    def inputs(self, model_type: ModelType) -> np.ndarray:
        """Assemble what a model is fed.

        Args:
            model_type: Name of the kind.

        Returns:
            `(n_rows, 39)` or `(n_rows, 45)` float32 in [0, 1].
        """
        if not model_spec(model_type).sees_history:
            return self.features
        return np.concatenate([self.features, self.history], axis=1)

    def target(self, model_type: ModelType) -> np.ndarray:
        """Assemble what a model is to predict.

        Args:
            model_type: Name of the kind.

        Returns:
            `(n_rows,)` float32: the outcome score, or 1.0 where the outcome is positive and 0.0 elsewhere.
        """
        return _TARGETS[model_spec(model_type).target](self)

    def take(self, rows: np.ndarray) -> "LabelledRows":
        """Select rows.

        Args:
            rows: `(k,)` integer positions or `(n_rows,)` bool mask.

        Returns:
            The selected rows, in the order given.
        """
        return LabelledRows(
            features=self.features[rows],
            unknown=self.unknown[rows],
            history=self.history[rows],
            agent=self.agent[rows],
            scored_at=self.scored_at[rows],
            outcome_score=self.outcome_score[rows],
            positive=self.positive[rows],
            formula_score=self.formula_score[rows],
        )


_TARGETS: Final[dict[Target, Callable[[LabelledRows], np.ndarray]]] = {
    Target.OUTCOME_SCORE: lambda rows: rows.outcome_score,
    Target.POSITIVE: lambda rows: rows.positive.astype(np.float32),
}


def labelled_rows(table: pa.Table) -> LabelledRows:
    """Take the labelled rows of an accepted dataset out of its table.

    Args:
        table: Rows with the columns of `schema.DATASET`.

    Returns:
        The rows whose outcome is known, in table order; possibly none.
    """
    table = table.filter(pa.compute.is_valid(table["outcome_score"]))
    features = np.stack([_floats(table, name) for name in FEATURES], axis=1)
    unknown = np.isnan(features)
    return LabelledRows(
        features=np.where(unknown, np.float32(UNKNOWN_VALUE), features),
        unknown=unknown,
        history=np.stack([_floats(table, name) for name in HISTORY_FEATURES], axis=1),
        agent=agents_by_appearance(table["agent_id"]).code,
        scored_at=table["scored_at"].to_numpy().astype("datetime64[us]"),
        outcome_score=_floats(table, "outcome_score"),
        positive=pa.compute.equal(table["outcome_type"], "positive").to_numpy(),
        formula_score=_floats(table, "formula_score"),
    )


def _floats(table: pa.Table, name: str) -> np.ndarray:
    values: np.ndarray = pa.compute.fill_null(table[name], float("nan")).to_numpy().astype(np.float32)
    return values
