"""What a rollout could find, and when: a forecast before it starts, from the traffic and the spread of units in a log.

Worlds are drawn day by day with the rollout's own rules: units become whole, evidence grows as the e-process of
`estimates.e_process` does with payoffs that are normal, stages follow and hopeless rollouts end as
`weighing.ramp` decides. Guardrails are left out. The forecast decides nothing.
"""

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import ndtr

from spots_ml.estimates.e_process import BETS
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.experiments.weighing.outlook import LEAST_TIME, LEAST_UNITS, MIXTURE_COSTS

DEFAULT_EFFECTS: Final = (-0.1, -0.05, 0.03, 0.06)
"""Effects that are planned for when nobody names one, in value per decision."""
N_WORLDS: Final = 500
_PARTS: Final = 4
"""Looks at the evidence within a day: its peak counts after every unit, not after every day."""
_BETS: Final = np.array(BETS)[:, None]


class Traffic(BaseModel):
    """What the log tells of the agents of the hybrid group."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    agents_per_day: float = Field(ge=0.0, description="Different agents of the hybrid group with a decision, a day.")
    came_by_day: tuple[float, ...] = Field(
        min_length=2, description="Different agents that had come by the end of each day since a moment; from 0 on."
    )
    spread: float = Field(gt=0.0, description="Standard deviation of what is not predicted of a unit's value.")
    n_units: int = Field(ge=1, description="Units that the spread is of.")

    def came_by(self, days: np.ndarray) -> np.ndarray:
        """Tell how many different agents come within so many days.

        Args:
            days: Since some moment; below 0 nobody came.

        Returns:
            Their number; beyond the days that were seen they come as in the last third of these.
        """
        seen = np.asarray(self.came_by_day)
        last = len(seen) - 1
        third = max(last // 3, 1)
        rate = (seen[-1] - seen[-1 - third]) / third
        within = np.interp(np.clip(days, 0.0, last), np.arange(last + 1), seen)
        came: np.ndarray = within + rate * np.maximum(days - last, 0.0)
        return came


class PlannedEffect(BaseModel):
    """When an effect would be found."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    effect: float = Field(ge=-2.0, le=2.0, description="Value per decision, treated minus others.")
    found: float = Field(ge=0.0, le=1.0, description="Share of the worlds in which it is: promoted, or rolled back.")
    day: float | None = Field(description="In half of the worlds by this day; null: not within the longest duration.")
    early_day: float | None = Field(description="The same in a quarter of them.")
    late_day: float | None = Field(description="The same in three quarters.")
    over_day: float = Field(description="In half of the worlds it is over by this day, one way or another.")

    def told(self, longest_days: float) -> str:
        """Say it: `-8 points in 9 days`, `+3 points never within 60`."""
        points = f"{100.0 * self.effect:+.3g} points"
        if self.day is None:
            given_up = "" if self.over_day >= longest_days else f" (given up on day {self.over_day:.0f})"
            return f"{points} never within {longest_days:g}{given_up}"
        return f"{points} in {self.day:.0f} days"


class Plan(BaseModel):
    """What a rollout could find at the traffic of the log."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    traffic: Traffic
    longest_days: float = Field(gt=0.0)
    level: float = Field(gt=0.0, lt=1.0, description="Its part of the error budget.")
    effects: tuple[PlannedEffect, ...]

    def told(self) -> str:
        """Say it in a sentence without its full stop."""
        each = ", ".join(effect.told(self.longest_days) for effect in self.effects)
        return f"at {self.traffic.agents_per_day:,.0f} agents a day, {each}"


def plan_rollout(
    traffic: Traffic,
    policy: RolloutPolicy,
    level: float,
    effects: Sequence[float] = DEFAULT_EFFECTS,
    *,
    seed: int = 0,
    n_worlds: int = N_WORLDS,
) -> Plan:
    """Plan a rollout.

    Args:
        traffic: Of the log.
        policy: Its rules.
        level: Its part of the error budget.
        effects: Different from 0; below 0 harm is to be found, above 0 a benefit.
        seed: The same seed, the same plan.
        n_worlds: How many are drawn for each effect.

    Returns:
        When each effect would be found.
    """
    planned = []
    for number, effect in enumerate(effects):
        worlds = _Worlds(traffic, policy, effect, n_worlds)
        days, over = worlds.days(level, np.random.default_rng((seed, number)))
        early, middle, late = (_quantile(days, share) for share in (0.25, 0.5, 0.75))
        planned.append(
            PlannedEffect(
                effect=effect,
                found=float(np.isfinite(days).mean()),
                day=middle,
                early_day=early,
                late_day=late,
                over_day=float(np.median(over)),
            )
        )
    return Plan(traffic=traffic, longest_days=policy.longest_days, level=level, effects=tuple(planned))


def _quantile(days: np.ndarray, share: float) -> float | None:
    """The day by which it is found in so many worlds; a world in which it never is counts as later than any other."""
    day = float(np.sort(days)[max(math.ceil(share * len(days)) - 1, 0)])
    return day if math.isfinite(day) else None


class _Worlds:
    """Worlds in which a version has the same effect, all at the same day.

    Args:
        traffic: Of the log.
        policy: The rules.
        effect: In all of them.
        n_worlds: How many.
    """

    def __init__(self, traffic: Traffic, policy: RolloutPolicy, effect: float, n_worlds: int) -> None:
        self._traffic, self._policy, self._effect = traffic, policy, effect
        lows, shares = np.array([0.0, *policy.shares[:-1]]), np.array(policy.shares)
        self._fresh, self._share = 1.0 - lows, (shares - lows) / (1.0 - lows)
        self._stage = np.zeros(n_worlds, int)
        self._begun = np.full((len(shares) + 1, n_worlds), np.inf)
        self._begun[0] = 0.0
        self._paid, self._squares, self._weight = np.zeros((3, n_worlds))
        self._log_e = {name: np.zeros(n_worlds) for name in ("benefit", "harm", "not_worse")}
        self._peaks = dict(self._log_e)

    def days(self, level: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """`(n_worlds,)` twice: the day on which each finds the effect, infinite where it does not; when it is over."""
        policy, last = self._policy, len(self._share) - 1
        needed = {"benefit": -math.log(level), "harm": -math.log(policy.harm_level)}
        needed["not_worse"] = -math.log(policy.widen_level)
        found, running = np.full(len(self._stage), np.inf), np.ones(len(self._stage), bool)
        over = np.full(len(self._stage), policy.longest_days)
        for day in range(1, math.floor(policy.longest_days) + 1):
            self._pass(day, rng)
            rejects = {name: self._peaks[name] >= enough for name, enough in needed.items()}
            harmed = running & rejects["harm"]
            able = running & ~harmed & self._have_enough(day)
            promoted = able & (self._stage == last) & rejects["benefit"]
            widened = able & (self._stage < last) & rejects["not_worse"]
            hopeless = running & ~harmed & ~promoted & ~widened & self._are_hopeless(day, needed, rejects)
            found[harmed if self._effect < 0.0 else promoted] = day
            over[harmed | promoted | hopeless] = day
            running &= ~harmed & ~promoted & ~hopeless
            if not running.any():
                break
            self._stage[widened] += 1
            self._begun[self._stage[widened], np.flatnonzero(widened)] = day
        return found, over

    def _are_hopeless(self, day: int, needed: dict[str, float], rejects: dict[str, np.ndarray]) -> np.ndarray:
        """`(n_worlds,)` bool: a promotion is too unlikely by now, as `weighing.outlook` reckons it."""
        policy, spread, last = self._policy, self._traffic.spread, len(self._share) - 1
        delay = policy.window_days + policy.maturity_hours / 24.0
        known = self._weight / spread**2
        there = known > 0.0
        effect = np.divide(self._paid, self._weight, out=np.zeros(len(known)), where=there)
        chance, since = np.ones(len(known)), np.zeros(len(known))
        for number, share in enumerate(self._share):
            # Nobody is promoted without units of the next stage, so that is how long one before it may take at most.
            until = policy.longest_days - (0.0 if number == last else delay)
            each, units = share * (1.0 - share) / spread**2, self._whole(number, until)
            latest = known + each * (units - self._whole(number, day))
            if number == last:
                likely = self._chance("benefit", effect, known, latest, needed)
                likely[rejects["benefit"]] = 1.0
            else:
                widened = self._chance("not_worse", effect + policy.much_worse, known, latest, needed)
                widened[rejects["not_worse"]] = 1.0
                following = self._share[number + 1]
                fresh = self._fresh[number + 1] * self._traffic.came_by(np.array(policy.longest_days - day - delay))
                end = known + following * (1.0 - following) * fresh / spread**2
                likely = np.minimum(widened, self._chance("benefit", effect, known, end, needed))
            likely[units * min(share, 1.0 - share) < policy.least_units] = 0.0
            here = self._stage == number
            chance[here], since[here] = likely[here], self._begun[number][here]
        n_units = sum(self._whole(number, day) for number in range(len(self._share)))
        judged = there & (n_units >= LEAST_UNITS) & (day - since >= LEAST_TIME / timedelta(days=1))
        hopeless: np.ndarray = judged & (chance < policy.futile_below)
        return hopeless

    def _chance(
        self, name: str, effect: np.ndarray, known: np.ndarray, end: np.ndarray, needed: dict[str, float]
    ) -> np.ndarray:
        """`(n_worlds,)` how likely the evidence will be enough at the end, by what is known now."""
        away = effect * np.sqrt(known)
        lags = np.where(away > 0.0, away**2 / 2.0 - self._log_e[name], 0.0)
        z = np.sqrt(2.0 * (needed[name] + np.maximum(lags, MIXTURE_COSTS)))
        more = (known > 0.0) & (end > known * (1.0 + 1e-9))
        known, end = np.where(more, known, 1.0), np.where(more, end, 2.0)
        chance: np.ndarray = ndtr((effect - z / np.sqrt(end)) / np.sqrt(1.0 / known - 1.0 / end))
        return np.where(more, chance, 0.0)

    def _pass(self, day: int, rng: np.random.Generator) -> None:
        """Let a day's units become whole, and keep the peaks of the evidence."""
        for part in range(_PARTS):
            until = day - 1.0 + (part + 1.0) / _PARTS
            for number, share in enumerate(self._share):
                new = self._whole(number, until) - self._whole(number, until - 1.0 / _PARTS)
                each = share * (1.0 - share)
                variance = each * (self._traffic.spread**2 + (1.0 - share) * self._effect**2)
                self._paid += new * each * self._effect + np.sqrt(new * variance) * rng.standard_normal(len(new))
                self._squares += new * variance
                self._weight += new * each
            away = self._paid + self._policy.much_worse * self._weight
            for name, paid in (("benefit", self._paid), ("harm", -self._paid), ("not_worse", away)):
                self._log_e[name] = _log_e(paid, self._squares)
                self._peaks[name] = np.maximum(self._peaks[name], self._log_e[name])

    def _whole(self, number: int, day: float) -> np.ndarray:
        """`(n_worlds,)` units of a stage that are whole: window and maturity are over, the window while it went on."""
        window = self._policy.window_days
        entered = np.minimum(day - window - self._policy.maturity_hours / 24.0, self._begun[number + 1] - window)
        begun = self._begun[number]
        started = np.isfinite(begun)
        since = np.where(started, entered - np.where(started, begun, 0.0), -1.0)
        units: np.ndarray = self._fresh[number] * self._traffic.came_by(since)
        return units

    def _have_enough(self, day: int) -> np.ndarray:
        """`(n_worlds,)` bool: both arms of the stage have the least number of units."""
        enough = np.zeros(len(self._stage), bool)
        for number, share in enumerate(self._share):
            of_arm = self._whole(number, day) * min(share, 1.0 - share)
            enough |= (self._stage == number) & (of_arm >= self._policy.least_units)
        return enough


def _log_e(paid: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """`(n_worlds,)` log of the mean wealth over bets, each near `bet x paid - bet^2 x squares / 2`."""
    logs = _BETS * paid - 0.5 * _BETS**2 * squares
    largest = logs.max(axis=0)
    mean: np.ndarray = largest + np.log(np.exp(logs - largest).mean(axis=0))
    return mean
