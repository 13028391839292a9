"""What another way to decide would have been worth, from a log of decisions that something else made.

A decision that was not made otherwise by chance says nothing of what would have come of the other one; so the estimate
rests on the probabilities with which the logged decisions were made (`scoring.exploration`), and where they leave
nothing to go by there is no estimate, but the reason. What is not called is worth 0, by definition and without any
doubt: only the calls of a candidate need to have been possible. Why the bounds are what they are, and what coverage was
measured: `docs/decisions/off-policy.md`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from spots_ml.estimates.agents import Agents, Resampling, effective_number
from spots_ml.estimates.estimate import Estimate
from spots_ml.estimates.statistic import OfSums, Statistic, estimate_all


class OffPolicyRules(BaseModel):
    """What a log must hold before anything is estimated from it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    least_again: float = Field(default=0.8, gt=0.0, le=1.0, description="Share of decisions that can be made again.")
    least_overlap: float = Field(default=0.8, gt=0.0, le=1.0, description="Share of calls that were possible.")
    least_effective: float = Field(default=1_000.0, ge=1.0, description="Equal calls that its calls are worth.")
    least_effective_changed: float = Field(
        default=100.0, ge=1.0, description="The same of the calls that it makes or leaves out otherwise."
    )


RULES: Final = OffPolicyRules()


class OffPolicyValue(BaseModel):
    """What a candidate would have been worth per decision, every agent counting once; null where it cannot be said."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    n_decisions: int = Field(ge=0, description="Matured decisions of the log that were decided again.")
    n_agents: int = Field(ge=0)
    n_chance: int = Field(ge=0, description="Of these, decisions that could have gone the other way.")
    n_changed: int = Field(ge=0, description="Of these, decisions that candidate and present service make otherwise.")
    called: float | None = Field(description="Share that the candidate calls.")
    called_before: float | None = Field(description="Share that the present service calls.")
    overlap: float | None = Field(description="Of the candidate's calls, the share that was possible in the log.")
    overlap_changed: float | None = Field(
        description="Of the calls in which both differ, the share that was possible; null: they differ in none."
    )
    effective: float = Field(ge=0.0, description="How many equal calls the candidate's calls in the log are worth.")
    effective_changed: float = Field(ge=0.0, description="The same of the calls in which both differ.")
    value: Estimate | None = Field(default=None, description="Of the candidate, doubly robust.")
    value_snips: Estimate | None = Field(
        default=None, description="Of the candidate, by weights that are normalised by their sum."
    )
    effect: Estimate | None = Field(default=None, description="Candidate minus present service, doubly robust.")
    effect_snips: Estimate | None = Field(default=None, description="The same by normalised weights.")
    cannot: str | None = Field(default=None, description="Why nothing is estimated; null: it is.")

    @classmethod
    def nothing(cls, cannot: str) -> "OffPolicyValue":
        """Say that nothing is estimated, because nothing could be looked at.

        Args:
            cannot: Why, after "because".

        Returns:
            An estimate of no decision.
        """
        return cls(
            n_decisions=0,
            n_agents=0,
            n_chance=0,
            n_changed=0,
            called=None,
            called_before=None,
            overlap=None,
            overlap_changed=None,
            effective=0.0,
            effective_changed=0.0,
            cannot=cannot,
        )

    def told(self) -> str:
        """Say it in a sentence without its full stop."""
        if self.cannot is not None:
            return f"cannot be estimated, because {self.cannot}"
        ours = _interval(self.value)
        return (
            f"worth {ours} per decision, an effect of {_interval(self.effect)} beside what answers now "
            f"({self.n_decisions:,} decisions of {self.n_agents:,} agents, {self.n_changed:,} of them made otherwise)"
        )


@dataclass(frozen=True)
class LoggedDecisions:
    """Matured decisions of a log.

    Attributes:
        agents: Whose they are.
        guess: `(n_rows,)` what a call would be worth, guessed from other agents' outcomes (`value_model`).
        called: `(n_rows,)` bool, what was decided.
        propensity: `(n_rows,)` in (0, 1], the probability with which it was decided so.
        value: `(n_rows,)` in [-1, 1], what came of it; looked at where called.
    """

    agents: Agents
    guess: np.ndarray
    called: np.ndarray
    propensity: np.ndarray
    value: np.ndarray


def off_policy_value(
    log: LoggedDecisions,
    called: np.ndarray,
    called_before: np.ndarray,
    *,
    seed: int,
    rules: OffPolicyRules = RULES,
    n_resamples: int = 1_000,
) -> OffPolicyValue:
    """Estimate what a candidate would have been worth, alone and beside the present service.

    Self-normalised importance sampling (Swaminathan and Joachims 2015) within the candidate's calls, and the doubly
    robust estimate (Dudík, Langford and Li 2011) with a guess that other agents taught; intervals by drawing
    agents again. Decisions of which a call was not possible are left out of both, which the bounds on overlap allow for
    few.

    Args:
        log: What was decided.
        called: `(n_rows,)` bool, what the candidate would call.
        called_before: `(n_rows,)` bool, what the present service would call.
        seed: Of the resampling.
        rules: What the log must hold.
        n_resamples: How many times agents are drawn.

    Returns:
        The estimates, or why there are none.
    """
    rows = _Rows.of(log, called, called_before)
    found = rows.counted(log, called, called_before)
    if (cannot := _reason(found, rules)) is not None:
        return found.model_copy(update={"cannot": cannot})
    return found.model_copy(update=estimate_all(rows.statistics(log), Resampling(seed, n_resamples)))


@dataclass(frozen=True)
class _Rows:
    """Rows as they count.

    Attributes:
        weight: `(n_rows,)` so that every agent weighs the same, as it does among the units of a rollout.
        possible: `(n_rows,)` bool, whether a call had a probability above 0.
        inverse: `(n_rows,)` 1 / the probability of the call that was made; 0 where none was.
        mine: `(n_rows,)` bool, the candidate's calls.
        added: `(n_rows,)` bool, its calls that the present service does not make.
        dropped: `(n_rows,)` bool, the present service's calls that it does not make.
    """

    weight: np.ndarray
    possible: np.ndarray
    inverse: np.ndarray
    mine: np.ndarray
    added: np.ndarray
    dropped: np.ndarray

    @classmethod
    def of(cls, log: LoggedDecisions, called: np.ndarray, before: np.ndarray) -> "_Rows":
        return cls(
            weight=1.0 / np.bincount(log.agents.code, minlength=max(log.agents.n, 1))[log.agents.code],
            possible=log.called | (log.propensity < 1.0),
            inverse=np.where(log.called, 1.0 / log.propensity, 0.0),
            mine=called,
            added=called & ~before,
            dropped=before & ~called,
        )

    def counted(self, log: LoggedDecisions, called: np.ndarray, before: np.ndarray) -> OffPolicyValue:
        changed, everything = self.added | self.dropped, np.ones(len(called), bool)
        return OffPolicyValue(
            n_decisions=len(called),
            n_agents=log.agents.n,
            n_chance=int((log.propensity < 1.0).sum()),
            n_changed=int(changed.sum()),
            called=self._share(called, everything),
            called_before=self._share(before, everything),
            overlap=self._share(self.possible, self.mine),
            overlap_changed=self._share(self.possible, changed),
            effective=effective_number((self.weight * self.inverse)[self.mine]),
            effective_changed=effective_number((self.weight * self.inverse)[changed]),
        )

    def _share(self, part: np.ndarray, whole: np.ndarray) -> float | None:
        total = float(self.weight[whole].sum())
        return float(self.weight[part & whole].sum()) / total if total > 0.0 else None

    def statistics(self, log: LoggedDecisions) -> dict[str, Statistic]:
        worth = np.where(log.called, log.value, 0.0)
        pseudo = log.guess + self.inverse * (worth - log.guess)
        # Where both decide alike the effect is 0, whether or not the call was possible.
        for_value = self.weight * (self.possible | ~self.mine)
        for_effect = self.weight * (self.possible | ~(self.added | self.dropped))
        sign = self.added.astype(np.float64) - self.dropped
        return {
            "value": self._mean(log, for_value, self.mine * pseudo, self.mine),
            "value_snips": self._normalised(log, for_value, worth, (self.mine,)),
            "effect": self._mean(log, for_effect, sign * pseudo, self.added | self.dropped),
            "effect_snips": self._normalised(log, for_effect, worth, (self.added, self.dropped)),
        }

    def _mean(self, log: LoggedDecisions, weight: np.ndarray, part: np.ndarray, counted: np.ndarray) -> OfSums:
        sums = log.agents.sums(weight * part, weight)
        return OfSums(sums, _ratio, (self._side(log, weight, counted),), False, int((weight > 0.0).sum()))

    def _normalised(
        self, log: LoggedDecisions, weight: np.ndarray, worth: np.ndarray, calls: tuple[np.ndarray, ...]
    ) -> OfSums:
        """The share of each kind of call times its mean worth by normalised weights; the second kind is subtracted."""
        columns = [weight]
        for which in calls:
            columns += [weight * which, weight * which * self.inverse, weight * which * self.inverse * worth]
        side = self._side(log, weight, np.logical_or.reduce(calls))
        return OfSums(log.agents.sums(*columns), _shares_times_means, (side,), False, int((weight > 0.0).sum()))

    def _side(self, log: LoggedDecisions, weight: np.ndarray, counted: np.ndarray) -> np.ndarray:
        side: np.ndarray = log.agents.sums(weight * counted)[:, 0]
        # Where the two never differ the number is 0 for everybody, and no agent is scarce.
        return side if side.any() else log.agents.sums(weight)[:, 0]


def _ratio(sums: np.ndarray) -> np.ndarray:
    ratios: np.ndarray = np.divide(sums[:, 0], sums[:, 1], out=np.full(len(sums), np.nan), where=sums[:, 1] > 0.0)
    return ratios


def _shares_times_means(sums: np.ndarray) -> np.ndarray:
    whole, total, sign = sums[:, 0], np.zeros(len(sums)), 1.0
    for start in range(1, sums.shape[1], 3):
        share, weights, worth = sums[:, start : start + 3].T
        # A kind of call that does not occur adds nothing; one of which no call was made is unknown.
        mean = np.divide(worth, weights, out=np.where(share > 0.0, np.nan, 0.0), where=weights > 0.0)
        total += sign * np.divide(share, whole, out=np.full(len(sums), np.nan), where=whole > 0.0) * mean
        sign = -1.0
    return total


def _reason(found: OffPolicyValue, rules: OffPolicyRules) -> str | None:
    """Say what stands against an estimate."""
    if not found.n_decisions:
        return "no matured decision of the log could be decided again"
    if found.overlap is None:
        return f"it would call nobody in {found.n_decisions:,} decisions, which is worth exactly 0"
    chance = (
        f"{found.n_chance:,} of {found.n_decisions:,} decisions were left to chance"
        if found.n_chance
        else "no decision of the log was left to chance"
    )
    otherwise = f"the {found.n_changed:,} calls that it makes or leaves out otherwise"
    reasons = []
    if found.overlap_changed is not None and found.overlap_changed < rules.least_overlap:
        reasons.append(
            f"of {otherwise} {found.overlap_changed:.0%} were possible in the log, {rules.least_overlap:.0%} must be "
            f"({chance})"
        )
    if found.overlap < rules.least_overlap:
        reasons.append(
            f"{found.overlap:.0%} of its calls were possible in the log, {rules.least_overlap:.0%} must be ({chance})"
        )
    if found.effective < rules.least_effective:
        reasons.append(
            f"its calls in the log are worth {found.effective:,.0f} equal ones, {rules.least_effective:,.0f} are needed"
        )
    if found.n_changed and found.effective_changed < rules.least_effective_changed:
        reasons.append(
            f"{otherwise} are worth {found.effective_changed:,.0f} equal ones, {rules.least_effective_changed:,.0f} "
            "are needed"
        )
    return "; ".join(reasons) or None


def _interval(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "an unknown amount"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:+.3f}"
    return f"{estimate.value:+.3f} ({estimate.low:+.3f} to {estimate.high:+.3f})"
