"""What there is to be shown of a model's rollouts, put together for a page, a command and the overview."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from spots_ml.errors import ArtifactError
from spots_ml.experiments.budget import level_at
from spots_ml.experiments.evidence_record import Look
from spots_ml.experiments.forecasting.forecasts import Forecast, ForecastScore, forecast_of
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.experiments.rollout import ON_THE_WAY, Cause, Rollout, RolloutEvent, n_promoted_by_evidence
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.pipeline.forecasting.forecast_step import forecast_scores
from spots_ml.pipeline.rollouts.next_rollout import (
    RolloutsOfModel,
    Upcoming,
    candidates,
    next_rollout,
    to_be_compared,
    why_withheld,
)
from spots_ml.pipeline.rollouts.safeguard import taken_back_by_itself
from spots_ml.pipeline.rollouts.starting import rollouts_of
from spots_ml.registry.blessings import against
from spots_ml.registry.records import HistoryEntry
from spots_ml.stores.store import Store

NEEDS_PERSON_FOR: Final = timedelta(days=7)
"""How long what happened by itself and went badly is told to a person, unless something comes after it."""
LOOKS_SHOWN: Final = 100
_BAD: Final[frozenset[Cause]] = frozenset({"harm", "guardrail", "fallbacks", "artifact", "sample_ratio"})


@dataclass(frozen=True)
class RolloutView:
    """The rollouts of one model at one moment.

    Attributes:
        model_type: The model.
        at: Of when this is told (UTC).
        rollout: The one that is on its way, else the last one; None: there never was one.
        events: What happened to it.
        looks: The last looks at it.
        upcoming: What comes next, or why nothing does, in a sentence.
        n_rollouts: Rollouts of the store so far, of all models.
        n_promoted: Of these, those that evidence promoted.
        next_level: Part of the error budget that the next one gets.
        taken_back: The last time that the active version was taken back by itself, a short while ago.
        waits: What a person has to do so that the one on its way goes on, or the next one starts; None: nothing.
        forecast: What was predicted of the rollout that is shown before it started; None: nothing.
        forecasts: How right that was, and what was predicted of rollouts before, the newest first.
    """

    model_type: ModelType
    at: datetime
    rollout: Rollout | None
    events: tuple[RolloutEvent, ...]
    looks: tuple[Look, ...]
    upcoming: str
    n_rollouts: int
    n_promoted: int
    next_level: float
    taken_back: HistoryEntry | None
    waits: str | None
    forecast: Forecast | None = None
    forecasts: tuple[ForecastScore, ...] = ()

    @property
    def is_on_its_way(self) -> bool:
        """Whether the rollout that is shown is not over."""
        return self.rollout is not None and self.rollout.status in ON_THE_WAY

    @property
    def state(self) -> str:
        """Where it stands and when more will be known, in a sentence."""
        if self.rollout is None:
            return f"nothing was rolled out yet; {self.upcoming}"
        one = self.rollout
        named = f"{one.name}: {one.version} against {one.champion or model_spec(one.model_type).stand_in}"
        if one.kind == "weight":
            named = f"{one.name}: {one.version} at the weight {one.weight:g} against itself"
        if not self.is_on_its_way:
            last = self.events[-1]
            return f"{named} is {_ENDS[one.status]} since {last.at:%Y-%m-%d}: {last.reason}; {self.upcoming}"
        told = self.looks[-1].told if self.looks else "not looked at yet"
        return f"{named}, stage {one.stage}, {one.share:.0%} of the hybrid group, {one.status}; {told}"

    @property
    def budget(self) -> str:
        """The balance of the error budget, in a sentence."""
        plural = "s" if self.n_rollouts != 1 else ""
        return (
            f"{self.n_rollouts} rollout{plural} so far, {self.n_promoted} promoted; the next one is promoted when "
            f"e >= {1.0 / self.next_level:,.0f}"
        )

    @property
    def needs_person(self) -> tuple[str, ...]:
        """What somebody has to look at."""
        needs = [] if self.waits is None else [self.waits]
        if self.taken_back is not None:
            entry = self.taken_back
            needs.append(
                f"{entry.version} was {entry.action} on {entry.at:%Y-%m-%d %H:%M} UTC: {entry.reason}; "
                f"`spots-ml history {self.model_type}` tells what answers since"
            )
        last = self.events[-1] if self.events else None
        if self.rollout is None or last is None:
            return tuple(needs)
        if last.action == "rolled_back" and last.cause in _BAD and last.at >= self.at - NEEDS_PERSON_FOR:
            needs.append(
                f"{self.rollout.name} of {self.rollout.version} was rolled back by itself ({last.cause}): {last.reason}"
            )
        if self.rollout.status == "paused":
            needs.append(
                f"{self.rollout.name} is paused since {last.at:%Y-%m-%d} by {last.actor}: {last.reason}; "
                f'`spots-ml rollout resume {self.model_type} --reason "..."`, or abort it'
            )
        elif self.is_on_its_way and self.looks and self.looks[-1].evidence.sample_ratio.rejects:
            needs.append(f"{self.rollout.name}: agents do not come as they were assigned; {self.looks[-1].told}")
        elif self.is_on_its_way and self.looks:
            otherwise, most = self.looks[-1].evidence.otherwise_share, self.rollout.policy.most_otherwise
            if otherwise > most:
                needs.append(
                    f"{self.rollout.name}: {otherwise:.1%} of decisions were not made as assigned, more than "
                    f"{most:.1%}, and it holds; `spots-ml check-log` tells what phones report"
                )
        return tuple(needs)


def rollout_view(store: Store, model_type: ModelType, policy: RolloutPolicy, *, now: datetime) -> RolloutView:
    """Read what there is to be shown.

    Args:
        store: The registry and the rollouts.
        model_type: Which model.
        policy: The rules by which the next one starts.
        now: The present (UTC).

    Returns:
        The view.
    """
    known, everything = rollouts_of(store, model_type), store.rollouts.list_rollouts()
    try:
        found, unreadable = next_rollout(known, policy), None
    except ArtifactError as error:
        found = unreadable = str(error)
    shown = known.running or (known.rollouts[-1] if known.rollouts else None)
    n_promoted = n_promoted_by_evidence(everything)
    events = () if shown is None else store.rollouts.rollout_events(shown.number)
    return RolloutView(
        model_type=model_type,
        at=now,
        rollout=shown,
        events=events,
        looks=() if shown is None else store.rollouts.rollout_looks(shown.number, limit=LOOKS_SHOWN),
        upcoming=_upcoming(known, found, policy) if unreadable is None else f"next: nothing, {unreadable}",
        n_rollouts=len(everything),
        n_promoted=n_promoted,
        next_level=level_at(len(everything), n_promoted, policy.lifetime_level),
        taken_back=taken_back_by_itself(known.history, since=now - NEEDS_PERSON_FOR),
        waits=_withheld(known, events) or unreadable or _waits(known, found, policy),
        forecast=None if shown is None else forecast_of(shown, store.forecasts.list_forecasts(model_type)),
        forecasts=forecast_scores(store, model_type),
    )


_ENDS: Final = {"promoted": "promoted", "rolled_back": "rolled back", "ended": "over"}


def _upcoming(known: RolloutsOfModel, found: Upcoming | str, policy: RolloutPolicy) -> str:
    running = known.running
    if running is not None:
        if not isinstance(found, Upcoming) or (found.kind, found.version) == (running.kind, running.version):
            return f"next: nothing before {running.name} is over"
        when = "is superseded" if policy.when_busy == "supersede" else "is over"
        return f"next: {found.version}, when {running.name} {when}"
    start = f"when somebody says so: `spots-ml rollout start {known.model_type}`"
    if isinstance(found, Upcoming):
        at = f" at the weight {found.weight:g}" if found.kind == "weight" else ""
        return f"next: {found.version}{at}, {'by itself' if policy.auto_start else start}"
    newest = to_be_compared(known)
    if newest is not None and policy.auto_start:
        beside = against(None if known.active is None else known.active.version, known.model_type)
        return f"next: {newest.version} is compared with {beside} at the next look"
    return f"next: nothing, {found}"


def _withheld(known: RolloutsOfModel, events: tuple[RolloutEvent, ...]) -> str | None:
    running = known.running
    withheld = None if running is None else why_withheld(known, running, events)
    if running is None or withheld is None:
        return None
    return (
        f"{running.name} of {running.version} gets no more traffic: {withheld}; `spots-ml bless {known.model_type} "
        f"{running.version} --anew` compares it again, `spots-ml rollout` steps in"
    )


def _waits(known: RolloutsOfModel, found: Upcoming | str, policy: RolloutPolicy) -> str | None:
    """Say what keeps the next rollout from starting, where it is a person's to do."""
    if known.running is not None:
        return None
    if isinstance(found, Upcoming):
        start = f"`spots-ml rollout start {known.model_type}`"
        return None if policy.auto_start else f"{found.version} waits for somebody to roll it out: {start}"
    newest = to_be_compared(known)
    if newest is not None:
        # With automatic starts the next look compares them.
        bless = f"`spots-ml bless {known.model_type} {newest.version}`"
        return None if policy.auto_start else f"{found}; {bless} compares them"
    return found if candidates(known) and known.active is None else None
