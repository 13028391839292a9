"""What decisions came to, in the measure that a policy declares: called x value of the outcome."""

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from spots_ml.experiments.decision_values import decision_values
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.interactions.columns import first_arrivals, outcome_codes, times
from spots_ml.interactions.learning.maturity import mature


def matured_values(decisions: pa.Table, policy: RolloutPolicy, *, now: datetime) -> tuple[np.ndarray, np.ndarray]:
    """Value decisions whose time for an outcome is over.

    Args:
        decisions: `n` rows with `decided_at`, `called`, `outcome_type`, `outcome_at` and `first_outcome_at`.
        policy: Says what outcomes are worth, and how long they may take.
        now: The present, with a time zone.

    Returns:
        `(n,)` bool, whether it is matured, and `(n,)` float64 in [-1, 1], what it came to: 0 where nobody was called.
        An outcome that first arrived later than it may is none.
    """
    codes = outcome_codes(decisions)
    window = timedelta(hours=policy.maturity_hours)
    found = mature(times(decisions["decided_at"]), first_arrivals(decisions), codes >= 0, now=now, window=window)
    called = decisions["called"].to_numpy()
    return found.matured, decision_values(np.where(found.labelled, codes, -1), called, policy.values)
