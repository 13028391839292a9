"""What is live, how it does, what comes next and what needs a person: a page's worth, of one moment, for each model.

Everything is read; nothing is decided here that is not decided elsewhere: what answers is in `registry.in_service`,
when to learn again in `retraining`, how an arm did in `performance`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from spots_ml.estimates.difference import difference
from spots_ml.estimates.estimate import Estimate
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.models.spec import Role
from spots_ml.monitoring.causes.watches import Watch
from spots_ml.monitoring.performance import EVIDENCE, SERVED, MeasuredOrigin, PerformanceRow, excessive_fallbacks
from spots_ml.monitoring.retraining import Retrain, Wait
from spots_ml.registry.in_service import InService

FORMULA: Final = "formula"
COMPARED: Final = "positive_outcome_rate"
"""The metric that arms are compared by; what it says where arms call different pairs is in `docs/how-to`."""
_MEASURED_WITHIN: Final = timedelta(days=2)
"""Days are measured at 04:00 of the next one; one that failed is asked for again a day later."""
_CLOCK_SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True)
class ArmComparison:
    """How the live version's arm did beside another one, on outcomes of people.

    Attributes:
        origin: Whose decisions are compared: the service's, or those that phones report.
        other: The other arm: the formula, or the version before.
        day: Last day (UTC) of the seven that were measured.
        ours: The live version's metric; None: it decided nothing in that time.
        theirs: The other arm's.
        more: `ours - theirs`, agents apart; None where one of them is missing.
    """

    origin: MeasuredOrigin
    other: str
    day: date
    ours: Estimate | None
    theirs: Estimate | None
    more: Estimate | None

    @property
    def sentence(self) -> str:
        """What can be told, and by whose decisions where these are not the service's."""
        return self._told if self.origin == SERVED else f"by what phones decided: {self._told}"

    @property
    def _told(self) -> str:
        if self.ours is None or self.theirs is None or self.more is None or self.more.value is None:
            missing = "the live version" if self.ours is None or self.ours.value is None else self.other
            return f"not comparable with {self.other}: no matured outcomes of {missing} in the seven days to {self.day}"
        points = f"{100 * self.more.value:+.1f} points"
        if self.more.low is None or self.more.high is None:
            return f"{points} against {self.other}, from too few agents for an interval: nothing can be told"
        told = f"{points} ({100 * self.more.low:+.1f} to {100 * self.more.high:+.1f}) against {self.other}"
        if self.more.low > 0.0:
            return f"better: {told}"
        return f"worse: {told}" if self.more.high < 0.0 else f"no difference can be told: {told}"


@dataclass(frozen=True)
class ModelStatus:
    """One model at one moment.

    Attributes:
        standing: What answers, since when, and what may come in its place.
        answers: What answers now, in a sentence.
        comparisons: How it did against the formula and against the version before.
        rollout: What is rolled out, what is known of it, and what comes next.
        upcoming: What the retraining decision says now.
        needs_person: What somebody has to look at; empty: nothing.
        watched: What watching the version found last, a sentence each.
    """

    standing: InService
    answers: str
    comparisons: tuple[ArmComparison, ...]
    rollout: str
    upcoming: Retrain | Wait
    needs_person: tuple[str, ...]
    watched: tuple[str, ...] = ()

    @property
    def model_type(self) -> ModelType:
        """Which model."""
        return self.standing.model_type

    @property
    def is_due(self) -> bool:
        """Whether it is to be trained again now."""
        return isinstance(self.upcoming, Retrain)

    @property
    def next_step(self) -> str:
        """What comes next and when, in a sentence."""
        if isinstance(self.upcoming, Retrain):
            return f"retraining is due now: {self.upcoming.message}"
        return self.upcoming.message


def model_status(
    standing: InService,
    upcoming: Retrain | Wait,
    performance: Sequence[PerformanceRow],
    *,
    rollout: str,
    problems: Sequence[str] = (),
    watches: Sequence[Watch] = (),
    max_fallback_share: float,
    now: datetime,
) -> ModelStatus:
    """Put together what is known of one model.

    Args:
        standing: What answers.
        upcoming: What the retraining decision says.
        performance: Measured days, the newest of which counts; of any arm.
        rollout: What is rolled out, and what comes next.
        problems: What needs a person by what is known elsewhere: failed runs, damaged files, rollouts.
        watches: What watching the version found on the last days.
        max_fallback_share: Largest share of decisions without a model's answer, in [0, 1].
        now: The present (UTC).

    Returns:
        The status.
    """
    evidence = [row for row in performance if row.origin in EVIDENCE]
    measured = max((row.day for row in evidence), default=None)
    rows = [row for row in evidence if row.day == measured]
    is_arm = model_spec(standing.model_type).role is Role.NEURAL_SCORE
    return ModelStatus(
        standing=standing,
        answers=_answers(standing),
        comparisons=_comparisons(standing, rows) if is_arm else (),
        rollout=rollout,
        upcoming=upcoming,
        needs_person=(
            *problems,
            *_clocks(standing, now),
            *(_measuring(standing, measured, now) if is_arm else ()),
            *(excessive_fallbacks(rows, max_fallback_share) if is_arm else ()),
        ),
        watched=_watched(standing, watches),
    )


def _watched(standing: InService, watches: Sequence[Watch]) -> tuple[str, ...]:
    live = standing.live
    last = {one.topic: one for one in watches if live is not None and one.version == live.version}
    return tuple(f"on {one.day}: {one.told}" for _, one in sorted(last.items()))


def _answers(standing: InService) -> str:
    instead = model_spec(standing.model_type).stand_in
    if standing.live is None:
        if standing.since is None:
            return f"{instead}: no version was ever promoted"
        return f"{instead}, since {_change(standing)}; before: {standing.before or instead}"
    told = f"{standing.live.version}, active since {_change(standing)}; before: {standing.before or instead}"
    if model_spec(standing.model_type).role is Role.OUTCOME_FILTER and not standing.live.filter_on:
        told += "; its filter is off, so it blocks nobody"
    return told


def _change(standing: InService) -> str:
    assert standing.since is not None
    at = standing.since.at.astimezone(UTC)
    return f"{at:%Y-%m-%d %H:%M} UTC (change {standing.since.sequence}, by {standing.since.actor})"


def _comparisons(standing: InService, rows: Sequence[PerformanceRow]) -> tuple[ArmComparison, ...]:
    if standing.live is None or not rows:
        return ()
    live = f"{standing.model_type} {standing.live.version}"
    others = [FORMULA]
    if standing.before is not None and standing.before != standing.live.version:
        others.append(f"{standing.model_type} {standing.before}")
    by_arm = {(row.origin, row.arm): row for row in rows}
    return tuple(
        _compared(by_arm.get((origin, live)), by_arm.get((origin, other)), other, origin, rows[0].day)
        for origin in EVIDENCE
        if any(row.origin == origin for row in rows)
        for other in others
    )


def _compared(
    ours: PerformanceRow | None, theirs: PerformanceRow | None, other: str, origin: MeasuredOrigin, day: date
) -> ArmComparison:
    mine, its = (None if row is None else row.metric(COMPARED) for row in (ours, theirs))
    more = None if mine is None or its is None else difference(mine, its)
    return ArmComparison(origin=origin, other=other, day=day, ours=mine, theirs=its, more=more)


def _clocks(standing: InService, now: datetime) -> list[str]:
    ahead = standing.since_at
    if ahead is None or ahead <= now + _CLOCK_SKEW:
        return []
    return [f"the last change is told as of {ahead:%Y-%m-%d %H:%M} UTC, which lies ahead: somebody's clock is wrong"]


def _measuring(standing: InService, measured: date | None, now: datetime) -> list[str]:
    if standing.live is None or standing.since_at is None:
        return []
    last = standing.since_at
    if measured is not None:
        last = max(last, datetime.combine(measured, datetime.min.time(), UTC) + timedelta(days=1))
    if now - last <= _MEASURED_WITHIN:
        return []
    told = f"since {measured}" if measured else "since it is active"
    return [f"nothing that it decided was measured {told}: look at the runs of the job scoring, or log with --log"]
