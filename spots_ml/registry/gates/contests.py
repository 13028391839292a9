"""A version beside another way to answer on the same rows: how much better, and whether it is worse than a margin.

Overall it must be shown not to be worse: the whole 95 % interval, agents paired, lies within the margin. On slices it
must not be shown to be worse: of all tests on all slices with enough agents together, at most `slice_level` refuse a
version that is nowhere worse (Holm 1979, "A simple sequentially rejective multiple test procedure").
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import stdtr

from spots_ml.estimates.agents import Agents, Resampling, effective_number
from spots_ml.estimates.estimate import Estimate, kept, linearised
from spots_ml.estimates.statistic import Difference, estimate_all, mean
from spots_ml.registry.gates.blessing_rules import BlessingRules


@dataclass(frozen=True)
class Contest:
    """Two ways to answer about the same rows, by one number that is a mean over rows.

    Attributes:
        subject: What of the version answers, such as `network` or `hybrid_at_0.1`.
        against: What it is held against: a version, or what stands in.
        metric: Name of the number.
        own: `(n_rows,)` what each row adds to the version's number.
        other: `(n_rows,)` likewise of the other.
        is_error: Whether less is better; then a margin is a share of the other's number, else an amount.
        ships: Whether it is of what ships; False: of the model's own answers.
    """

    subject: str
    against: str
    metric: str
    own: np.ndarray
    other: np.ndarray
    is_error: bool
    ships: bool = True

    def margin(self, rules: BlessingRules, *, on_slice: bool = False) -> float:
        """Tell how much worse it may be."""
        if not self.is_error:
            return rules.slice_value_margin if on_slice else rules.value_margin
        if not self.ships:
            return rules.slice_answer_margin if on_slice else rules.answer_margin
        return rules.slice_error_margin if on_slice else rules.error_margin

    def spare(self, margin: float) -> np.ndarray:
        """Tell how far each row is from using the margin up; their mean is below 0 where the version is worse."""
        if self.is_error:
            spared: np.ndarray = (1.0 + margin) * self.other - self.own
            return spared
        more: np.ndarray = self.own - self.other + margin
        return more

    def take(self, rows: np.ndarray) -> "Contest":
        """Select rows."""
        return replace(self, own=self.own[rows], other=self.other[rows])


class Compared(BaseModel):
    """One contest on some rows."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    subject: str = Field(description="What of the version answers.")
    against: str = Field(description="What it is held against.")
    metric: str = Field(
        description="`mse`, `brier`, `log_loss`: of predictions, smaller is better. `value`: what an opportunity is "
        "worth to people, called x (2 x outcome score - 1), larger is better."
    )
    own: float
    other: float
    better_by: Estimate = Field(description="How much better the version's number is, agents paired; below 0: worse.")
    margin: float = Field(description="How much worse it may be: of an error as a share of the other's.")
    margin_left: Estimate = Field(description="How far the version is from using that up; below 0: it is worse.")
    passed: bool


class ComparedOnSlice(BaseModel):
    """One contest on a slice."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    slice_name: str
    subject: str
    against: str
    metric: str
    n_rows: int = Field(ge=1)
    effective_agents: float = Field(description="As many equal agents would have as much to say.")
    better_by: Estimate = Field(description="As overall, with its own 95 % interval.")
    p_worse: float | None = Field(
        description="How probable so large a loss beyond the margin would be without one, one-sided; null: too few "
        "agents for it to decide anything."
    )
    passed: bool = Field(description="False: worse than the margin beyond doubt, among all slices that decide.")


def compare(
    contests: Sequence[Contest], agents: Agents, rules: BlessingRules, resampling: Resampling
) -> tuple[Compared, ...]:
    """Hold contests on all rows.

    Args:
        contests: What is compared.
        agents: Whose the rows are.
        rules: By which it is judged.
        resampling: How agents are drawn again: the same agents for all contests.

    Returns:
        What was found, in their order. Answers that are the same on every row pass; without an interval nothing else
        does.
    """
    better = estimate_all({f"{place}": _better(one, agents) for place, one in enumerate(contests)}, resampling)
    left = estimate_all(
        {f"{place}": mean(agents, one.spare(one.margin(rules)), bounded=False) for place, one in enumerate(contests)},
        resampling,
    )
    return tuple(
        Compared(
            subject=one.subject,
            against=one.against,
            metric=one.metric,
            own=kept(float(one.own.mean())),
            other=kept(float(one.other.mean())),
            better_by=better[f"{place}"],
            margin=one.margin(rules),
            margin_left=left[f"{place}"],
            passed=_is_good_enough(one, left[f"{place}"]),
        )
        for place, one in enumerate(contests)
    )


def _is_good_enough(contest: Contest, left: Estimate) -> bool:
    return np.array_equal(contest.own, contest.other) or (left.low is not None and left.low >= 0.0)


def _better(contest: Contest, agents: Agents) -> Difference:
    own, other = (mean(agents, side, bounded=False) for side in (contest.own, contest.other))
    return Difference(other, own) if contest.is_error else Difference(own, other)


def compare_on_slices(
    contests: Sequence[Contest],
    rows: np.ndarray,
    slices: Mapping[str, np.ndarray],
    rules: BlessingRules,
    resampling: Resampling,
) -> tuple[ComparedOnSlice, ...]:
    """Hold contests on slices, and judge all of them together.

    Args:
        contests: What is compared.
        rows: `(n_rows,)` names or codes of the agents.
        slices: `(n_rows,)` bool by name, each with a row.
        rules: By which they are judged.
        resampling: How agents are drawn again.

    Returns:
        By slice and contest.
    """
    found = [
        compared
        for name, mask in slices.items()
        for compared in _on_slice(name, [one.take(mask) for one in contests], rows[mask], rules, resampling)
    ]
    worse = holm([one.p_worse for one in found if one.p_worse is not None], rules.slice_level)
    refused = iter(worse)
    return tuple(one if one.p_worse is None else one.model_copy(update={"passed": not next(refused)}) for one in found)


def _on_slice(
    name: str, contests: Sequence[Contest], rows: np.ndarray, rules: BlessingRules, resampling: Resampling
) -> Iterator[ComparedOnSlice]:
    """Hold contests on the rows of one slice; which of them refuse is not known yet."""
    agents = Agents.of(rows)
    effective = effective_number(np.bincount(agents.code).astype(np.float64))
    better = estimate_all({f"{place}": _better(one, agents) for place, one in enumerate(contests)}, resampling)
    for place, one in enumerate(contests):
        spare, p_worse = one.spare(one.margin(rules, on_slice=True)), None
        if effective >= rules.least_slice_agents:
            p_worse = kept(p_below_nought(spare, agents, effective))
        yield ComparedOnSlice(
            slice_name=name,
            subject=one.subject,
            against=one.against,
            metric=one.metric,
            n_rows=len(rows),
            effective_agents=round(effective, 3),
            better_by=better[f"{place}"],
            p_worse=p_worse,
            passed=True,
        )


def p_below_nought(values: np.ndarray, agents: Agents, effective: float) -> float:
    """Test whether the mean of rows is below 0, agents as the sampled units, one-sided.

    Args:
        values: `(n_rows,)`.
        agents: Whose the rows are.
        effective: As many equal agents would have as much to say.

    Returns:
        The probability of so low a mean where the true one is 0, by the linearised mean and Student's t.
    """
    sums = agents.sums(values, np.ones(len(values)))
    (average,), ((variance,),) = linearised(sums[:, :1], sums[:, 1:])
    if not variance > 0.0 or effective <= 1.0:
        return 1.0 if average >= 0.0 or math.isnan(variance) else 0.0
    return float(stdtr(effective - 1.0, average / math.sqrt(variance)))


def holm(p_values: Sequence[float], level: float) -> list[bool]:
    """Reject null hypotheses so that any true one is rejected with at most a probability.

    Args:
        p_values: One per hypothesis.
        level: The probability.

    Returns:
        Whether each is rejected.

    >>> holm([0.01, 0.04, 0.03], 0.05)
    [True, False, False]
    """
    rejected = [False] * len(p_values)
    for place, position in enumerate(sorted(range(len(p_values)), key=lambda one: p_values[one])):
        if p_values[position] > level / (len(p_values) - place):
            break
        rejected[position] = True
    return rejected
