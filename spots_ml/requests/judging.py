"""Which requests may be scored: whatever else is wrong with a row than an unknown value refuses it, with reason codes.

How requests are read is in `reading`; how unknown values are repaired, in `scoring.inputs`.
"""

from datetime import datetime

import numpy as np
import pyarrow as pa

from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.interactions.columns import floats
from spots_ml.interactions.judging.rules import ValidationConfig, bit, find_problems
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.requests.request_schema import TREND_BOOST_RANGE

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
        `(n_rows,)` int64 masks of `rules.bit`; 0 where the row can be scored.
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
