"""From score requests to what the scorer takes: which rows may be scored, and the documented repair of unknown values.

There is one repair: unknown (null) becomes what the app feeds, 0.5, after the derived features were computed from what
is known; unknown history is served by a store or, without one, `NO_HISTORY`. Whatever else is wrong with a row refuses
it, with reason codes. How requests are read is in `requests.reading`.
"""

from datetime import datetime

import numpy as np
import pyarrow as pa

from spots_ml.errors import ContractError
from spots_ml.features.contract import HISTORY_FEATURES, RAW_FEATURES, UNKNOWN_VALUE
from spots_ml.features.derived import derive
from spots_ml.features.history import NO_HISTORY
from spots_ml.interactions.judging.columns import floats
from spots_ml.interactions.judging.reasons import bit
from spots_ml.interactions.judging.rules import find_problems
from spots_ml.interactions.judging.validation_config import ValidationConfig
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.scoring.decision import TREND_BOOST_RANGE
from spots_ml.scoring.groups import hybrid_mask
from spots_ml.scoring.scorer import ScoringInputs

_UNIT_EXTRAS = (*HISTORY_FEATURES, "trajectory_potential", "positive_influence")


def find_request_problems(
    batch: pa.RecordBatch, *, now: datetime, config: ValidationConfig | None = None
) -> np.ndarray:
    """Judge each request by itself: by the rules for training records as far as they are not about labels.

    Args:
        batch: Rows of schema `REQUESTS`.
        now: The present, with a time zone; a request may lie ahead of it by the clock skew only, because the outcome of
            a decision in the future could never be linked to it.
        config: The clock skew that is allowed for; None: the defaults.

    Returns:
        `(n_rows,)` int64 masks of `reasons.bit`; 0 where the row can be scored.
    """
    n_rows = batch.num_rows
    shared = [
        batch[field.name] if field.name in batch.schema.names else pa.nulls(n_rows, field.type)
        for field in INTERACTIONS
    ]
    interactions = pa.RecordBatch.from_arrays(shared, schema=INTERACTIONS)
    masks = find_problems(interactions, config=config or ValidationConfig(), now=now)
    for name in (*_UNIT_EXTRAS, "trend_boost"):
        column = batch[name]
        if column.null_count == n_rows:
            continue
        low, high = TREND_BOOST_RANGE if name == "trend_boost" else (0.0, 1.0)
        values, known = floats(column), column.is_valid().to_numpy(zero_copy_only=False)
        finite = np.isfinite(values)
        masks[known & ~finite] |= bit("not_finite")
        masks[finite & ((values < low) | (values > high))] |= bit("out_of_range")
    return masks


def scoring_inputs(batch: pa.RecordBatch, history: np.ndarray | None = None) -> ScoringInputs:
    """Assemble what the scorer takes, unknown values repaired.

    Args:
        batch: `n` rows of schema `REQUESTS` in which `find_request_problems` found nothing.
        history: `(n, 6)` floats in [0, 1] served by a store; counts where a request brings no value of its own. None:
            nothing was served.

    Returns:
        `n` rows. Unknown features are 0.5, unknown history `NO_HISTORY`, an unknown trend boost 0; an unknown agent is
        not in the group `hybrid`.

    Raises:
        ContractError: When `history` has another shape.

    >>> from spots_ml.requests.request_schema import REQUESTS
    >>> unknown = pa.RecordBatch.from_pylist([{"position": 0, "agent_overall_energy": 0.25}], schema=REQUESTS)
    >>> inputs = scoring_inputs(unknown)
    >>> inputs.features[0, 10:13].tolist(), inputs.history[0].tolist() == list(NO_HISTORY), bool(inputs.hybrid[0])
    ([0.5, 0.25, 0.5], True, False)
    """
    shape = (batch.num_rows, len(HISTORY_FEATURES))
    if history is not None and history.shape != shape:
        raise ContractError(f"the served history has the shape {history.shape}; expected {shape}, one row per request")
    features = derive({name: floats(batch[name]) for name in RAW_FEATURES})
    features[np.isnan(features)] = UNKNOWN_VALUE
    given = given_history(batch)
    served = np.broadcast_to(np.array(NO_HISTORY), shape) if history is None else history
    return ScoringInputs(
        features=features,
        history=np.where(np.isnan(given), served, given).astype(np.float32),
        hybrid=hybrid_mask(batch["agent_id"]),
        trend_boost=_or_else(batch["trend_boost"], 0.0),
        trajectory_potential=_or_else(batch["trajectory_potential"], UNKNOWN_VALUE),
        positive_influence=_or_else(batch["positive_influence"], UNKNOWN_VALUE),
    )


def given_history(batch: pa.RecordBatch) -> np.ndarray:
    """Take out of requests what they say about the agent's history.

    Args:
        batch: `n` rows of schema `REQUESTS`.

    Returns:
        `(n, 6)` float64, NaN where a request says nothing.
    """
    return np.stack([floats(batch[name]) for name in HISTORY_FEATURES], axis=1)


def count_unknown(batch: pa.RecordBatch) -> np.ndarray:
    """Count the repaired raw features.

    Args:
        batch: `n` rows of schema `REQUESTS`.

    Returns:
        `(n,)` int64, how many of the 34 raw features are null, 0 to 34.
    """
    unknown = np.zeros(batch.num_rows, np.int64)
    for name in RAW_FEATURES:
        if batch[name].null_count:
            unknown += batch[name].is_null().to_numpy(zero_copy_only=False)
    return unknown


def _or_else(column: pa.Array, value: float) -> np.ndarray:
    filled: np.ndarray = column.fill_null(value).to_numpy(zero_copy_only=False)
    return filled
