"""Traffic and spread out of the log: the units that a rollout would have had, if one had begun some weeks ago.

They are found and predicted as those of a rollout are, so that a plan speaks of the same things as a look.
"""

import math
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa

from spots_ml.errors import InsufficientDataError
from spots_ml.experiments.forecasting.planner import Traffic
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.experiments.rollout import Rollout, StagePeriod
from spots_ml.experiments.unit_finding import find_units
from spots_ml.experiments.units import UNITS
from spots_ml.experiments.weighing.payoffs import VALUE, unit_payoffs
from spots_ml.interactions.columns import times
from spots_ml.models.declared import ModelType
from spots_ml.scoring.assignment import hybrid_mask

LOOKS_BACK: Final = timedelta(days=28)
EARLIER: Final = timedelta(days=14)
"""What is read before that, for what was known of the agents."""
LEAST_UNITS: Final = 30
"""With fewer units their spread says nothing."""
_DAY: Final = timedelta(days=1)
_SHARE: Final = 0.5
_SALT: Final = "0" * 32


def logged_traffic(decided: pa.Table, model_type: ModelType, policy: RolloutPolicy, *, now: datetime) -> Traffic:
    """Tell what a rollout would have found in the log.

    Args:
        decided: Rows of schema `decided.DECIDED` of the last `LOOKS_BACK + EARLIER`.
        model_type: Of which model a rollout is planned.
        policy: Its rules.
        now: The present, with a time zone.

    Returns:
        The traffic of the hybrid group, and what is not predicted of its units.

    Raises:
        InsufficientDataError: When the log is too young, or too few units would have become whole.
    """
    decided = decided.filter(pa.array(hybrid_mask(decided["agent_id"])))
    moments = times(decided["decided_at"])
    needed = policy.window_days + policy.maturity_hours / 24.0
    if not len(moments):
        raise InsufficientDataError(
            f"no decision of the hybrid group is in the log of the last {(LOOKS_BACK + EARLIER).days} days; "
            f"expected more than the {needed:g} days of a unit: decide by `spots-ml score requests.jsonl --log`, or "
            "let phones report, and plan again after that"
        )
    began = _utc(moments.min(), now)
    since = max(now - LOOKS_BACK, began)
    n_days = (now - since) // _DAY
    if n_days <= needed:
        raise InsufficientDataError(
            f"the log tells of {n_days} days of the hybrid group; no unit is whole before {needed:g}; "
            f"plan again after {math.floor(needed) + 1 - n_days} more"
        )
    period = StagePeriod(stage=1, low=0.0, share=_SHARE, since=since, until=None)
    found = find_units(decided, _pretended(model_type, policy, since), [period], UNITS.empty_table(), as_of=now)
    if found.new.num_rows < LEAST_UNITS:
        raise InsufficientDataError(
            f"{found.new.num_rows} units would have become whole in {n_days} days; expected {LEAST_UNITS} or more: "
            "plan again when more agents of that group have come"
        )
    paid = unit_payoffs(found.new, [period], policy.values).of(VALUE)
    entered = (times(found.entered["entered_at"]) - _moment(since)) / np.timedelta64(_DAY)
    came = np.bincount(np.clip(entered, 0, n_days).astype(int), minlength=n_days + 1)[:n_days]
    spread = math.sqrt(float(np.square(paid.payoff).sum()) / float(paid.weight.sum()))
    if spread == 0.0:
        raise InsufficientDataError(f"all {found.new.num_rows} units of the last {n_days} days came to the same value")
    return Traffic(
        agents_per_day=_agents_per_day(decided, since, n_days),
        came_by_day=(0.0, *np.cumsum(came).astype(float).tolist()),
        spread=spread,
        n_units=found.new.num_rows,
    )


def _pretended(model_type: ModelType, policy: RolloutPolicy, since: datetime) -> Rollout:
    """A rollout that nobody started: it says how units are found, and nothing of who was treated is looked at."""
    return Rollout(
        model_type=model_type,
        kind="version",
        version="planned",
        weight=0.0,
        champion=None,
        salt=_SALT,
        policy=policy,
        n_before=0,
        n_promoted_before=0,
        level=policy.lifetime_level,
        number=1,
        status="running",
        stage=1,
        started_at=since,
        last_event=1,
    )


def _agents_per_day(decided: pa.Table, since: datetime, n_days: int) -> float:
    day = np.floor((times(decided["decided_at"]) - _moment(since)) / np.timedelta64(_DAY)).astype(np.int64)
    inside = (day >= 0) & (day < n_days)
    agent = decided["agent_id"].combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    return len(np.unique(np.stack([agent[inside], day[inside]]), axis=1)[0]) / n_days


def _moment(at: datetime) -> np.datetime64:
    return np.datetime64(round(at.timestamp() * 1e6), "us")


def _utc(moment: np.datetime64, now: datetime) -> datetime:
    return now - timedelta(microseconds=int((_moment(now) - moment) / np.timedelta64(1, "us")))
