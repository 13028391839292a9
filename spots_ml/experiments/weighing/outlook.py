"""When more will be known, and how likely a promotion still is: forecasts from who came so far and from the effect.

Forecasts decide nothing but when to give up, and are told to people with "about". Agents come back, so most fresh ones
come in the first days of a stage: how fast they become fewer is taken from the last days. An e-process is forecast by
what it is close to, `exp(z^2 / 2 - 1.5)` of the effect divided by its standard error.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import numpy as np

from spots_ml.experiments.evidence_record import EValue, Evidence, StageCounts
from spots_ml.experiments.rollout import Rollout, StagePeriod

LEAST_UNITS: Final = 30
"""Units before their effect and spread are told of the future."""

MIXTURE_COSTS: Final = 1.5
"""Logarithm of what averaging over bets costs, at the evidence that is asked for."""
LEAST_TIME: Final = timedelta(days=2)
"""Of a stage, before who came in it is told of the future: an hour after traffic was widened hardly anybody came."""
_MOSTLY: Final = 0.95
_RECENT_DAYS: Final = 7
"""A week where there is one, so that no weekend is taken for a trend."""
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Outlook:
    """What is to be expected if the effect is as it seems.

    Attributes:
        chance: Of a promotion before the longest duration, in [0, 1]; 1 while too little is known to say.
        first_whole_at: When the first units of the stage will be whole, where none is yet.
        widened_at: When traffic will be widened, where it can be; None: not in time.
        promoted_at: When the version will be promoted; None: not in time.
    """

    chance: float
    first_whole_at: datetime | None
    widened_at: datetime | None
    promoted_at: datetime | None


def outlook(rollout: Rollout, period: StagePeriod, evidence: Evidence, *, now: datetime) -> Outlook:
    """Look ahead.

    Args:
        rollout: On its way.
        period: The stage in which it is.
        evidence: What is known.
        now: The present, with a time zone.

    Returns:
        What is to be expected by the day.
    """
    policy = rollout.policy
    counts = evidence.stages[-1]
    delay = timedelta(days=policy.window_days, hours=policy.maturity_hours)
    n_units = counts.n_units_treated + counts.n_units_control
    first_whole_at = max(period.since + delay, now) if n_units == 0 else None
    effect, spread = evidence.effect.value, evidence.spread
    n_known = sum(_units(each) for each in evidence.stages)
    if n_known < LEAST_UNITS or now - period.since < LEAST_TIME or effect is None or not spread:
        return Outlook(1.0, first_whole_at, None, None)
    left = rollout.started_at + timedelta(days=policy.longest_days) - now
    days = np.arange(max(math.ceil(left / _DAY), 0) + 1)
    cohorts = _cohorts(counts, len(days) + len(counts.entered_by_day))
    known = sum(each.conditional_share * (1.0 - each.conditional_share) * _units(each) for each in evidence.stages)
    share = period.conditional_share
    elapsed = max((now - period.since) / _DAY, 0.0)
    whole = _whole_by(cohorts, elapsed + days - delay / _DAY)
    units = np.maximum(whole, n_units)
    information = (known + share * (1.0 - share) * (units - n_units)) / spread**2
    has_enough = min(counts.n_units_treated, counts.n_units_control) >= policy.least_units
    enough = has_enough | (units * min(share, 1.0 - share) >= policy.least_units)
    if rollout.stage == len(policy.shares):
        benefit = _needed_z(evidence.benefit, effect * math.sqrt(information[0]))
        at = _first(enough & ((effect * np.sqrt(information) >= benefit) | evidence.benefit.rejects))
        likely = 1.0 if evidence.benefit.rejects else _chance(effect, information[0], information[-1], benefit)
        return Outlook(likely if enough[-1] else 0.0, first_whole_at, None, _moment(now, at))
    ahead = _before_the_last(
        rollout, evidence, now=now, information=information, enough=enough, cohorts=cohorts, delay=delay / _DAY
    )
    return replace(ahead, first_whole_at=first_whole_at)


def _before_the_last(
    rollout: Rollout,
    evidence: Evidence,
    *,
    now: datetime,
    information: np.ndarray,
    enough: np.ndarray,
    cohorts: np.ndarray,
    delay: float,
) -> Outlook:
    """Two questions one after the other: first that it is not much worse, then that it is better."""
    policy, effect, spread = rollout.policy, evidence.effect.value or 0.0, evidence.spread or 1.0
    days = np.arange(len(information))
    away, precision = effect + policy.much_worse, math.sqrt(information[0])
    benefit = _needed_z(evidence.benefit, effect * precision)
    not_worse = _needed_z(evidence.not_much_worse, away * precision)
    known = evidence.not_much_worse.rejects
    widened = _first(enough & ((away * np.sqrt(information) >= not_worse) | known))
    # Nobody is promoted without units of the next stage, so that is how long this one may take at most.
    latest = max(math.floor(days[-1] - delay), 0)
    chance_widened = 1.0 if known else _chance(away, information[0], information[latest], not_worse)
    if not enough[latest]:
        chance_widened = 0.0
    # An effect that is larger than it seems would widen it once most of what this stage can tell is told.
    mostly = _first(information >= _MOSTLY * information[latest])
    begins = min(latest if mostly is None else mostly, latest if widened is None else widened)
    before = 0.0 if rollout.stage == 1 else policy.shares[rollout.stage - 2]
    # Of the stages to come the one that tells most of an agent stands for all.
    low, share = max(
        ((low, (high - low) / (1.0 - low)) for low, high in pairwise(policy.shares[rollout.stage - 1 :])),
        key=lambda stage: (1.0 - stage[0]) * stage[1] * (1.0 - stage[1]),
    )
    fresh = _whole_by(cohorts * (1.0 - low) / (1.0 - before), days - begins - delay)
    after = information[np.minimum(days, begins)] + share * (1.0 - share) * fresh / spread**2
    promoted = _first((effect * np.sqrt(after) >= benefit) & (fresh > 0.0))
    chance = min(chance_widened, _chance(effect, information[0], after[-1], benefit))
    return Outlook(chance, None, _moment(now, widened), None if widened is None else _moment(now, promoted))


def _units(counts: StageCounts) -> int:
    return counts.n_units_treated + counts.n_units_control


def _needed_z(asked: EValue, z: float) -> float:
    """The effect by its standard error at which the evidence will be enough; what it lags behind now, it lags then."""
    lags = z**2 / 2.0 - asked.log_e if z > 0.0 else 0.0
    return math.sqrt(2.0 * (asked.needed + max(lags, MIXTURE_COSTS)))


def _cohorts(counts: StageCounts, n_days: int) -> np.ndarray:
    """`(n_days,)` fresh agents by days since the stage began: those that came, then what they let expect."""
    came = np.array(counts.entered_by_day, dtype=np.float64)
    over = came[:-1]  # the last day is not over
    recent = min(_RECENT_DAYS, len(over) // 2)
    if recent:
        rate = over[-recent:].mean()
        earlier = over[-2 * recent : -recent].mean()
        falls = min((rate / earlier) ** (1.0 / recent), 1.0) if earlier > 0.0 else 1.0
    else:
        rate, falls = (float(over.mean()) if len(over) else float(came.sum())), 1.0
    # The mean of recent days is that of the one in their middle.
    future = rate * falls ** (np.arange(1, n_days + 1) + max(recent - 1, 0) / 2.0)
    if len(came) and len(over):
        return np.concatenate([over, [max(came[-1], future[0])], future[1:]])[:n_days]
    return np.concatenate([came, future])[:n_days]


def _whole_by(cohorts: np.ndarray, days: np.ndarray) -> np.ndarray:
    """How many entered until so many days after the stage began; within a day they come evenly."""
    summed = np.concatenate([[0.0], np.cumsum(cohorts)])
    whole: np.ndarray = np.interp(days, np.arange(len(summed)), summed)
    return whole


def _chance(effect: float, now: float, end: float, needed: float) -> float:
    """How likely the effect by its standard error will be enough at the end, given all that is known now.

    The effect lies around its estimate as its standard error says (Spiegelhalter et al. 1986, "Monitoring clinical
    trials: conditional or predictive power?").
    """
    if end <= now * (1.0 + 1e-9):
        return float(effect * math.sqrt(now) >= needed)
    away = (effect - needed / math.sqrt(end)) / math.sqrt(1.0 / now - 1.0 / end)
    return 0.5 * math.erfc(-away / math.sqrt(2.0))


def _first(true: np.ndarray) -> int | None:
    return int(np.argmax(true)) if true.any() else None


def _moment(now: datetime, day: int | None) -> datetime | None:
    return None if day is None else now + day * _DAY
