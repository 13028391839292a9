"""The effect by days since an agent's first decision in its stage: whether it is of the first days alone.

To be looked at, never decided by: who comes back on a later day may itself be an effect.
"""

import math
from typing import Final

import numpy as np
import pyarrow as pa

from spots_ml.estimates.estimate import Estimate, kept
from spots_ml.experiments.evidence_record import DayEffect
from spots_ml.experiments.weighing.payoffs import UnitPayoffs

_Z: Final = 1.959963984540054
_LEAST: Final = 8
"""Units of each arm before there is an interval."""


def effects_by_day(units: pa.Table, payoffs: UnitPayoffs) -> tuple[DayEffect, ...]:
    """Tell the effect of each day of the window.

    Args:
        units: The first ones of those that pay, with the column `daily_values`.
        payoffs: What they pay.

    Returns:
        By day, from 0, as far as any unit has a decision; each is of the units with a decision on that day, and its
        interval holds at one moment.
    """
    told = units["daily_values"].combine_chunks()
    lengths = told.value_lengths().fill_null(0).to_numpy()
    values = told.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    unit = np.repeat(np.arange(len(lengths)), lengths)
    day = np.arange(len(unit)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    found = []
    for each in range(int(lengths.max(initial=0))):
        rows = (day == each) & np.isfinite(values)
        if rows.any():
            found.append(DayEffect(day=each, effect=_effect(payoffs, unit[rows], values[rows])))
    return tuple(found)


def _effect(payoffs: UnitPayoffs, unit: np.ndarray, values: np.ndarray) -> Estimate:
    treated, share, weight = payoffs.treated[unit], payoffs.share[unit], payoffs.weight[unit]
    residual = values - payoffs.predictions[unit, 0]
    # What is left after the prediction is centred, so that few units are not thrown off by a day that differs.
    payoff = (treated - share) * (residual - np.average(residual, weights=weight))
    n, value = len(unit), float(payoff.sum() / weight.sum())
    least = min(int(treated.sum()), int((~treated).sum()))
    nothing = Estimate(value=None, low=None, high=None, method="none", n_rows=n, n_agents=n)
    if least < _LEAST:
        return nothing.model_copy(update={"value": kept(value)} if least else {})
    half = _Z * math.sqrt(float(np.square(payoff).sum())) / float(weight.sum())
    ends = {"low": kept(value - half), "high": kept(value + half), "method": "linearised"}
    return nothing.model_copy(update={"value": kept(value), **ends})
