"""The score before filter and trend, and the trend's factor where a decision does not tell it: read out of the log."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.requests.request_schema import TREND_BOOST_RANGE
from spots_ml.scoring.decision import OUTCOME_ABOVE


def blended_scores(decisions: pa.Table) -> np.ndarray:
    """Blend the scores of formula and model again; the log holds the score after the filter.

    Args:
        decisions: `n` rows with `weight`, `formula_score` and `neural_score`.

    Returns:
        `(n,)` float64 in [0, 1].
    """
    weight = _floats(decisions["weight"])
    formula, neural = _floats(decisions["formula_score"]), _floats(decisions["neural_score"])
    blended: np.ndarray = (1.0 - weight) * formula + weight * neural
    return blended


def trend_factors(decisions: pa.Table) -> np.ndarray:
    """Tell by what factor the trend, which is no work of a version, changed each score.

    A program that did not log the boost logged score and P(positive) all the same, and not whether the filter was on:
    it was not in an arm that let a row pass with a P(positive) that blocks. A blocked score was not boosted.

    Args:
        decisions: `n` decisions of one arm, with the columns of `DECISIONS`.

    Returns:
        `(n,)` factors, 1 + the boost; 1 where nothing tells one.
    """
    blended = blended_scores(decisions)
    probability, blocked = _floats(decisions["outcome_probability"]), decisions["blocked"].to_numpy()
    is_off = bool((~blocked & (probability <= OUTCOME_ABOVE)).any())
    base = blended * (1.0 if is_off else probability)
    factor = np.divide(_floats(decisions["score"]), base, out=np.ones(len(base)), where=~blocked & (base > 0.0))
    least, most = TREND_BOOST_RANGE
    # Rounded, so that no boost at all is exactly none.
    inferred = np.clip(np.round(factor, 9), 1.0 + least, 1.0 + most)
    told = pc.fill_null(decisions["trend_boost"], np.nan).to_numpy()
    factors: np.ndarray = np.where(np.isnan(told), inferred, 1.0 + told)
    return factors


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    """Numbers; 0 where null, which is where the weight is 0, too."""
    numbers: np.ndarray = pc.fill_null(pc.cast(column, pa.float64()), 0.0).to_numpy()
    return numbers
