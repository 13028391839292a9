"""The labelled, validated rows as arrays: what training and evaluation take. Storage is in `stores`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute

from spots_ml.features.contract import FEATURES, HISTORY_FEATURES, UNKNOWN_VALUE, VIBE_DIMENSIONS
from spots_ml.interactions.columns import agents_by_appearance
from spots_ml.interactions.judging.merging import Codes
from spots_ml.interactions.learning.row_caps import same_pairs
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.models.spec import Target

_BLOCK_ROWS: Final = 65_536
"""Rows copied at once."""
_OPPORTUNITY_VIBES: Final = slice(len(VIBE_DIMENSIONS), 2 * len(VIBE_DIMENSIONS))


@dataclass(frozen=True)
class LabelledRows:
    """Labelled interactions in the order of their source.

    Attributes:
        features: `(n_rows, 39)` float32 in [0, 1], contract order; unknown is 0.5, as the app feeds it.
        unknown: `(n_rows, 39)` bool; where a feature was unknown.
        history: `(n_rows, 6)` float32 in [0, 1], point in time.
        agent: `(n_rows,)` int64 codes; rows without an agent have a code of their own each.
        opportunity: `(n_rows,)` int64 codes; -1 where unknown.
        scored_at: `(n_rows,)` datetime64[us] in UTC; NaT where unknown.
        outcome_score: `(n_rows,)` float32 in [0, 1].
        positive: `(n_rows,)` bool; whether the outcome type is `positive`.
        formula_score: `(n_rows,)` float32 in [0, 1]; NaN where the record had none.
    """

    features: np.ndarray
    unknown: np.ndarray
    history: np.ndarray
    agent: np.ndarray
    opportunity: np.ndarray
    scored_at: np.ndarray
    outcome_score: np.ndarray
    positive: np.ndarray
    formula_score: np.ndarray

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.features)

    def inputs(
        self, model_type: ModelType, rows: np.ndarray | None = None, *, dtype: type[np.floating] = np.float32
    ) -> np.ndarray:
        """Assemble what a model is fed, in one array and without copies beside it.

        Args:
            model_type: Name of the kind.
            rows: `(n_rows,)` bool mask of the rows wanted, or their positions in the order wanted; None: all.
            dtype: Type of the numbers; float64 holds the same ones.

        Returns:
            `(n, 39)` or `(n, 45)` in [0, 1]; the features themselves where nothing is selected, added or converted.
        """
        sees_history = model_spec(model_type).sees_history
        if rows is None and not sees_history and self.features.dtype == dtype:
            return self.features
        chosen = np.arange(self.n_rows) if rows is None else np.flatnonzero(rows) if rows.dtype == bool else rows
        sources = (self.features, self.history) if sees_history else (self.features,)
        inputs = np.empty((len(chosen), sum(source.shape[1] for source in sources)), dtype)
        for start in range(0, len(chosen), _BLOCK_ROWS):
            block, first = chosen[start : start + _BLOCK_ROWS], 0
            for source in sources:
                inputs[start : start + _BLOCK_ROWS, first : first + source.shape[1]] = source[block]
                first += source.shape[1]
        return inputs

    def pairs(self) -> tuple[np.ndarray, ...]:
        """Tell which rows are of one agent about one opportunity, by its name and by what it looks like.

        Returns:
            `(n_rows,)` int64 codes, twice.
        """
        return same_pairs(
            self.agent, self.opportunity, self.features[:, _OPPORTUNITY_VIBES], self.unknown[:, _OPPORTUNITY_VIBES]
        )

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
            opportunity=self.opportunity[rows],
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
    return collect_labelled(table.to_batches(), table.num_rows - table["outcome_score"].null_count)


def collect_labelled(batches: Iterable[pa.RecordBatch], n_labelled: int) -> LabelledRows:
    """Take the labelled rows out of batches as they come; memory for the arrays and one batch.

    Args:
        batches: Rows with the columns of `schema.DATASET`.
        n_labelled: How many of them have an outcome.

    Returns:
        The rows whose outcome is known, in the order of the batches; possibly none.

    Raises:
        AssertionError: When more or fewer have one.
    """
    rows = LabelledRows(
        features=np.empty((n_labelled, len(FEATURES)), np.float32),
        unknown=np.empty((n_labelled, len(FEATURES)), bool),
        history=np.empty((n_labelled, len(HISTORY_FEATURES)), np.float32),
        agent=np.empty(0, np.int64),
        opportunity=np.empty(n_labelled, np.int64),
        scored_at=np.empty(n_labelled, "datetime64[us]"),
        outcome_score=np.empty(n_labelled, np.float32),
        positive=np.empty(n_labelled, bool),
        formula_score=np.empty(n_labelled, np.float32),
    )
    names, opportunities, start = [pa.array([], pa.string())], Codes(), 0
    for batch in batches:
        labelled = batch.filter(pa.compute.is_valid(batch["outcome_score"]))
        part = slice(start, start + labelled.num_rows)
        start = part.stop
        for place, name in enumerate(FEATURES):
            rows.features[part, place] = _floats(labelled, name)
        for place, name in enumerate(HISTORY_FEATURES):
            rows.history[part, place] = _floats(labelled, name)
        np.isnan(rows.features[part], out=rows.unknown[part])
        rows.features[part][rows.unknown[part]] = UNKNOWN_VALUE
        rows.scored_at[part] = labelled["scored_at"].to_numpy(zero_copy_only=False).astype("datetime64[us]")
        rows.outcome_score[part] = _floats(labelled, "outcome_score")
        positive = pa.compute.equal(labelled["outcome_type"], "positive")
        rows.positive[part] = positive.to_numpy(zero_copy_only=False)
        rows.formula_score[part] = _floats(labelled, "formula_score")
        rows.opportunity[part] = opportunities.of(labelled["opportunity_id"])
        names.append(labelled["agent_id"])
    if start != n_labelled:
        raise AssertionError(f"{start} labelled rows came, {n_labelled} were announced")
    return replace(rows, agent=agents_by_appearance(pa.chunked_array(names)).code)


def _floats(batch: pa.RecordBatch, name: str) -> np.ndarray:
    values: np.ndarray = pa.compute.fill_null(batch[name], float("nan")).to_numpy(zero_copy_only=False)
    return values.astype(np.float32, copy=False)
