"""When to learn again, and from where: a pure decision, the same for sensor, command line and simulator.

Nothing here counts, starts or schedules; the facts are collected in `retraining_facts`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spots_ml.interactions.kinds import Source, StoreKind
from spots_ml.monitoring.causes.learning_curve import CurvePoint, LabelThreshold, adapted_threshold
from spots_ml.monitoring.causes.requests import OpenRequest, told_numbers
from spots_ml.monitoring.causes.watches import Topic, Watch, standing
from spots_ml.monitoring.refused_before import Held, RefusedBefore, Thresholds, still_refused
from spots_ml.monitoring.run_history import ModelRuns

_NEEDED_OF: Final[Mapping[Topic, str]] = {
    "performance_fell": "its performance fell",
    "drift": "what it is asked about has drifted",
}
_MOST_DOUBLINGS: Final = 60
"""More of them than any longest wait allows, and few enough for a number."""


WATCHED_DAYS: Final = 14
"""What was found longer ago calls for nothing."""


class RetrainConfig(BaseModel):
    """Thresholds of the retraining decision."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    new_labels: int = Field(default=1000, ge=1, description="New labelled interactions that call for a retraining.")
    corrected_labels: int = Field(default=1000, ge=1, description="Corrected labels that call for a retraining.")
    max_age_days: float = Field(
        default=7.0, gt=0, le=36_500, description="Days since the newest registration that call for a retraining."
    )
    least_labels: int | None = Field(
        default=None, ge=1, description="Smallest threshold of new labels that may be taken from the learning curve."
    )
    most_labels: int | None = Field(
        default=None, ge=1, description="Largest; the threshold adapts where both are set, and is `new_labels` else."
    )
    worthwhile_gain: float = Field(
        default=0.01, gt=0, lt=1, description="Share of its error by which new labels should make a model better."
    )
    tolerated_loss: float = Field(
        default=0.1,
        ge=0,
        le=10,
        description="What a version in service may lose of its lead over the formula before that calls for a "
        "retraining, as a share of the formula's squared error when it was registered.",
    )
    drift_days: int = Field(
        default=3, ge=1, le=WATCHED_DAYS, description="On how many days drift must be found to call for a retraining."
    )
    drift_of_days: int = Field(default=7, ge=1, le=WATCHED_DAYS, description="Of how many days.")
    backoff_first_hours: float = Field(
        default=1.0,
        gt=0,
        le=8_760,
        description="Hours to wait after the second failure in a row; doubled after each more.",
    )
    backoff_max_hours: float = Field(
        default=24.0, gt=0, le=8_760, description="Longest wait in hours between two attempts after failures."
    )

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if (self.least_labels is None) != (self.most_labels is None):
            raise ValueError("of least_labels and most_labels only one is set; expected both, or neither")
        if self.least_labels is not None and self.most_labels is not None and self.least_labels > self.most_labels:
            raise ValueError(
                f"least_labels is {self.least_labels:,}; expected at most most_labels, {self.most_labels:,}"
            )
        if self.drift_days > self.drift_of_days:
            raise ValueError(f"drift_days is {self.drift_days}; expected at most drift_of_days, {self.drift_of_days}")
        return self

    def labels_needed(self, curve: Sequence[CurvePoint]) -> LabelThreshold:
        """Tell how many new labels call for a retraining.

        Args:
            curve: Past versions of the model that learned from this store.

        Returns:
            The fixed number, or what the learning curve says where that is configured.
        """
        if self.least_labels is None or self.most_labels is None:
            return LabelThreshold(self.new_labels)
        return adapted_threshold(
            curve, fixed=self.new_labels, least=self.least_labels, most=self.most_labels, gain=self.worthwhile_gain
        )

    def after_refusal(self, n_labels: int) -> Thresholds:
        """Tell what makes data new after a refusal: the same thresholds.

        Args:
            n_labels: New labels that call for a retraining.

        Returns:
            The thresholds.
        """
        return Thresholds(
            n_labels,
            self.corrected_labels,
            self.max_age_days,
            timedelta(hours=self.backoff_first_hours),
            timedelta(hours=self.backoff_max_hours),
        )


@dataclass(frozen=True)
class SourceChoice:
    """The sources between which the decision chooses.

    Attributes:
        configured: The source that the settings name.
        store: The store that the settings name, in which labels arrive.
    """

    configured: Source
    store: StoreKind


@dataclass(frozen=True)
class RetrainState:
    """What the decision depends on, for one model.

    Attributes:
        now: The present (UTC, with zone).
        registered_at: When the newest version that learned from this store was last registered, where there is none the
            newest of all; None without any version.
        new_labels: Labels that arrived since the data behind the newest version that learned from this store; all
            labels where there is none.
        learned_from_store: Whether any version's data came from the store.
        sources: Where interactions can be read from.
        corrections: Labels that were corrected since the data behind that version; 0 where there is none.
        runs: What trains this model now, and what failed on this store since the newest registration.
        refused: By source, the last refusal of what it holds, where nothing has made it void.
        requests: What somebody asked for and nothing has answered yet, whoever took it.
        taker: The run history that asks, which may take requests.
        watches: What watching the version in service found in the last `WATCHED_DAYS` days.
        last_registration: Number of the registry's last registration of the model; 0 without any.
        curve: Past versions that learned from this store.
    """

    now: datetime
    registered_at: datetime | None
    new_labels: int
    learned_from_store: bool
    sources: SourceChoice
    corrections: int = 0
    runs: ModelRuns = field(default_factory=ModelRuns)
    refused: Mapping[Source, RefusedBefore] = field(default_factory=dict)
    requests: tuple[OpenRequest, ...] = ()
    taker: str = ""
    watches: tuple[Watch, ...] = ()
    last_registration: int = 0
    curve: tuple[CurvePoint, ...] = ()

    @property
    def asked(self) -> tuple[OpenRequest, ...]:
        """The requests that this run history may take now."""
        return tuple(one for one in self.requests if one.is_to_take(self.taker, self.now))


@dataclass(frozen=True)
class Retrain:
    """Retrain now.

    Attributes:
        reasons: Everything that calls for it, one sentence each; at least one.
        source: Which interactions to learn from.
        message: One line for a person.
        requests: What is to be taken before a run is asked for. Where nothing of it can be had any more, another run
            history was first, and a run for nothing else than these is its.
        only_asked: Whether there is no other reason than requests.
        anew: Whether a refusal of the very same is stepped around, as a request says.
    """

    reasons: tuple[str, ...]
    source: Source
    message: str
    requests: tuple[OpenRequest, ...] = ()
    only_asked: bool = False
    anew: bool = False


@dataclass(frozen=True)
class Wait:
    """Do not retrain now.

    Attributes:
        message: One line for a person: why not, and how far it is.
        until: When it is due even if nothing else happens; None: time alone does not make it due, or a run must end
            first.
    """

    message: str
    until: datetime | None = None


def decide(state: RetrainState, config: RetrainConfig) -> Retrain | Wait:
    """Decide whether a model is to be trained again, and from which interactions.

    Due at `config.new_labels` new labels (or as many as the learning curve says, see `RetrainConfig.labels_needed`), at
    `config.corrected_labels` corrected ones, or `config.max_age_days` after the newest registration (all inclusive).
    Without any version only labels count: age has nothing to be measured from. Never while a run is in flight. After
    one failure the next attempt follows at once, after more it waits 1, 2, 4, ... hours. A refusal
    by a gate is an answer: it is not asked for again while data, code and configuration are the same, and at once when
    they change (`refused_before`).

    It is due, too, when the version in service fell behind its promise, or when drift was found on enough days, and no
    version was registered since (`causes.watches`); and while somebody asks for it (`causes.requests`). A new request
    does not wait after failures, one that was taken waits like everything else. It steps around a refusal only where it
    says so.

    It learns from the store once enough labels arrived there, for good; before, from what the settings name.

    Args:
        state: The present state of one model.
        config: The thresholds.

    Returns:
        `Retrain` with every reason, or `Wait` with the progress.

    >>> from datetime import datetime, UTC
    >>> state = RetrainState(
    ...     now=datetime(2026, 11, 22, tzinfo=UTC), registered_at=datetime(2026, 11, 21, 10, tzinfo=UTC),
    ...     new_labels=742, learned_from_store=True, sources=SourceChoice("synthetic", "embedded"),
    ... )
    >>> decide(state, RetrainConfig()).message
    '742 of 1,000 new labels; next by time on 2026-11-28 10:00 UTC'
    """
    asked, needed = state.asked, config.labels_needed(state.curve)
    counted = _reasons(state, config, needed)
    reasons = (*counted, *(one.told() for one in asked))
    progress = _progress(state, config, needed)
    if state.runs.in_flight:
        runs = ", ".join(run.run_id for run in state.runs.in_flight)
        return Wait(f"run {runs} is queued or running; {progress}")
    if not reasons:
        return Wait(progress, until=_due_at(state, config))
    told, source = "; ".join(reasons), _source(state, needed)
    before = state.refused.get(source)
    answer = still_refused(before, config.after_refusal(needed.n_labels), state.now) if before else ""
    nevertheless = tuple(one for one in asked if one.anew)
    if isinstance(answer, Held):
        if not nevertheless:
            hint = f"; {told_numbers(asked)} did not ask for it anew (--anew)" if asked else ""
            return Wait(f"{told}; but {answer.told}{hint}", until=answer.until)
        answer = f"{told_numbers(nevertheless)} asked for it anew, although {answer.told}"
    retry_at = _retry_at(state.runs, config)
    if retry_at is not None and state.now < retry_at and all(one.taking for one in asked):
        return Wait(
            f"{told}; but the last {len(state.runs.failed)} runs failed: next attempt on {_clock(retry_at)}",
            until=retry_at,
        )
    again = (answer, f"retry after {_counted(state.runs)}" if state.runs.failed else "")
    return Retrain(
        reasons,
        source,
        "; ".join((told, *filter(None, again))),
        requests=asked,
        only_asked=not counted,
        anew=bool(nevertheless),
    )


def _reasons(state: RetrainState, config: RetrainConfig, needed: LabelThreshold) -> tuple[str, ...]:
    reasons = []
    if state.new_labels >= needed.n_labels:
        reasons.append(f"{state.new_labels:,} new labels have arrived (threshold {_told(needed)})")
    if state.corrections >= config.corrected_labels:
        reasons.append(f"{state.corrections:,} labels were corrected (threshold {config.corrected_labels:,})")
    due = _due_at(state, config)
    if due is not None and state.now >= due:
        reasons.append(f"the newest version is {config.max_age_days:g} days old or more (due since {_clock(due)})")
    return (*reasons, *_found(state, config))


def _found(state: RetrainState, config: RetrainConfig) -> Sequence[str]:
    """What watching found that nothing has learned from since."""
    needed: Mapping[Topic, tuple[int, int]] = {
        "performance_fell": (1, config.drift_of_days),
        "drift": (config.drift_days, config.drift_of_days),
    }
    found = {
        topic: standing(
            [one for one in state.watches if one.topic == topic],
            today=state.now.astimezone(UTC).date(),
            last_registration=state.last_registration,
            days=days,
            of_days=of_days,
        )
        for topic, (days, of_days) in needed.items()
    }
    return [f"{_NEEDED_OF[topic]}: {watch.told}" for topic, watch in found.items() if watch is not None]


def _told(needed: LabelThreshold) -> str:
    return f"{needed.n_labels:,}; {needed.told}" if needed.told else f"{needed.n_labels:,}"


def _source(state: RetrainState, needed: LabelThreshold) -> Source:
    enough = state.new_labels >= needed.n_labels
    return state.sources.store if enough or state.learned_from_store else state.sources.configured


def _progress(state: RetrainState, config: RetrainConfig, needed: LabelThreshold) -> str:
    due = _due_at(state, config)
    if state.registered_at is None:
        by_time = "no version yet, so not by time"
    elif due is None:
        by_time = (
            f"the newest version says that it was registered on {_clock(state.registered_at)}, which lies ahead: its "
            "age is not known, so not by time until then"
        )
    else:
        by_time = f"next by time on {_clock(due)}"
    corrected = f"{state.corrections:,} of {config.corrected_labels:,} corrected; " if state.corrections else ""
    found = f" ({needed.told})" if needed.told else ""
    return f"{state.new_labels:,} of {needed.n_labels:,} new labels{found}; {corrected}{by_time}{_taken(state)}"


def _taken(state: RetrainState) -> str:
    taken = [one for one in state.requests if one.taking is not None and one not in state.asked]
    if not taken:
        return ""
    last = max(one.taking.taken_at for one in taken if one.taking is not None)
    return f"; {told_numbers(taken)} taken on {_clock(last)}, not answered yet"


def _due_at(state: RetrainState, config: RetrainConfig) -> datetime | None:
    """When age alone makes it due; None without a version, or while its clock was ahead of this one."""
    if state.registered_at is None or state.registered_at > state.now:
        return None
    return state.registered_at + timedelta(days=config.max_age_days)


def _retry_at(runs: ModelRuns, config: RetrainConfig) -> datetime | None:
    attempts = runs.failed
    if len(attempts) < 2:
        return None
    doublings = min(len(attempts) - 2, _MOST_DOUBLINGS)
    hours = min(config.backoff_first_hours * 2**doublings, config.backoff_max_hours)
    return attempts[-1].ended_at + timedelta(hours=hours)


def _counted(runs: ModelRuns) -> str:
    return f"{len(runs.failed)} failed run{'' if len(runs.failed) == 1 else 's'}"


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
