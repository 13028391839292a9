"""Who came in a stage: counts by day and arm, and whether agents come as they were assigned."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa

from spots_ml.estimates.e_process import running_peak
from spots_ml.estimates.estimate import kept
from spots_ml.estimates.sample_ratio import log_e_of_agents
from spots_ml.experiments.evidence_record import EValue, StageCounts
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.experiments.rollout import StagePeriod

_DAY_S: Final = 86_400.0
_PER_S: Final = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


@dataclass(frozen=True)
class FreshAgents:
    """Fresh agents of a stage, in the order in which they came.

    Attributes:
        treated: `(n,)` bool.
        moments: `(n,)` of their first decisions, seconds since 1970.
    """

    treated: np.ndarray
    moments: np.ndarray


def arrivals_in(entered: pa.Table, period: StagePeriod) -> FreshAgents:
    """Select those of a stage.

    Args:
        entered: Of all stages, schema `units.ENTERED`, in any order.
        period: The stage.

    Returns:
        Its fresh agents.
    """
    rows = entered["stage"].to_numpy() == period.stage
    unit = entered.schema.field("entered_at").type.unit
    moments = entered["entered_at"].cast(pa.int64()).to_numpy()[rows] / _PER_S[unit]
    treated = entered["treated"].to_numpy()[rows]
    if (moments[1:] >= moments[:-1]).all():
        return FreshAgents(treated, moments)
    order = np.argsort(moments, kind="stable")
    return FreshAgents(treated[order], moments[order])


def stage_counts(period: StagePeriod, came: FreshAgents, treated_units: np.ndarray, as_of: datetime) -> StageCounts:
    """Count agents and units of a stage.

    Args:
        period: The stage.
        came: Its fresh agents.
        treated_units: `(n,)` bool, of its whole units.
        as_of: Up to which moment days are counted, with a time zone.

    Returns:
        The counts; agents that came by another clock before the stage or after now are in its first or last day.
    """
    days = ((came.moments - period.since.timestamp()) // _DAY_S).astype(np.int64)
    until = as_of if period.until is None else min(as_of, period.until)
    n_days = max(math.ceil((until - period.since).total_seconds() / _DAY_S), 0)
    by_day = np.bincount(np.clip(days, 0, max(n_days - 1, 0)), minlength=n_days)
    n_treated, n_units_treated = int(np.count_nonzero(came.treated)), int(np.count_nonzero(treated_units))
    return StageCounts(
        stage=period.stage,
        conditional_share=period.conditional_share,
        n_entered_treated=n_treated,
        n_entered_control=len(came.treated) - n_treated,
        n_units_treated=n_units_treated,
        n_units_control=len(treated_units) - n_units_treated,
        entered_by_day=tuple(by_day.tolist()),
    )


def sample_ratio(policy: RolloutPolicy, periods: Sequence[StagePeriod], came: Sequence[FreshAgents]) -> EValue:
    """Weigh whether agents came as they were assigned.

    Args:
        policy: How many stages there are, and the level of the alarm.
        periods: Those that have begun.
        came: The fresh agents of each.

    Returns:
        The mean of the evidence of all stages, of which those that have not begun have said nothing.
    """
    now, peak = np.zeros(len(policy.shares)), 0.0
    for period, arrivals in zip(periods, came, strict=True):
        if not len(arrivals.treated):
            continue
        log_e = log_e_of_agents(arrivals.treated, period.conditional_share)
        others = np.logaddexp.reduce(np.delete(now, period.stage - 1)) if len(now) > 1 else -np.inf
        together = np.logaddexp(log_e, others) - math.log(len(now))
        ends = np.append(arrivals.moments[1:] != arrivals.moments[:-1], True)
        peak = max(peak, float(running_peak(together, ends)[-1]))
        now[period.stage - 1] = log_e[-1]
    log_e_now = float(np.logaddexp.reduce(now)) - math.log(len(now))
    return EValue(log_e=kept(log_e_now), peak=kept(peak), needed=kept(-math.log(policy.sample_ratio_level)))
