"""When to learn again, and from where: a pure decision, the same for sensor, command line and simulator.

Nothing here counts, starts or schedules; the facts are collected in `retraining_facts`.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from spots_ml.interactions.kinds import Source, StoreKind
from spots_ml.monitoring.run_history import ModelRuns

_MOST_DOUBLINGS: Final = 60
"""More of them than any longest wait allows, and few enough for a number."""


class RetrainConfig(BaseModel):
    """Thresholds of the retraining decision."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    new_labels: int = Field(default=1000, ge=1, description="New labelled interactions that call for a retraining.")
    max_age_days: float = Field(
        default=7.0, gt=0, le=36_500, description="Days since the newest registration that call for a retraining."
    )
    backoff_first_hours: float = Field(
        default=1.0,
        gt=0,
        le=8_760,
        description="Hours to wait after the second attempt in a row without a version; doubled after each more.",
    )
    backoff_max_hours: float = Field(
        default=24.0, gt=0, le=8_760, description="Longest wait in hours between two attempts without a version."
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
        registered_at: When the newest version was last registered; None without any version.
        new_labels: Labels that arrived since the data behind the newest version; all labels where there is no such
            version, or its data did not come from this store.
        learned_from_store: Whether the newest version's data came from the store.
        sources: Where interactions can be read from.
        runs: What trains this model now, and what led to no version since the newest registration.
    """

    now: datetime
    registered_at: datetime | None
    new_labels: int
    learned_from_store: bool
    sources: SourceChoice
    runs: ModelRuns = field(default_factory=ModelRuns)


@dataclass(frozen=True)
class Retrain:
    """Retrain now.

    Attributes:
        reasons: Every threshold that was reached, one sentence each; at least one.
        source: Which interactions to learn from.
        message: One line for a person.
    """

    reasons: tuple[str, ...]
    source: Source
    message: str


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

    Due at `config.new_labels` new labels, or `config.max_age_days` after the newest registration (both inclusive).
    Without any version only labels count: age has nothing to be measured from. Never while a run is in flight. After
    one attempt without a version the next follows at once, after more it waits 1, 2, 4, ... hours (see
    `RetrainConfig`). A refusal by a gate counts as such an attempt like a failure: neither is asked for again without
    end while labels and age still call for it.

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
    reasons = _reasons(state, config)
    progress = _progress(state, config)
    if state.runs.in_flight:
        runs = ", ".join(run.run_id for run in state.runs.in_flight)
        return Wait(f"run {runs} is queued or running; {progress}")
    if not reasons:
        return Wait(progress, until=_due_at(state, config))
    retry_at = _retry_at(state.runs, config)
    if retry_at is not None and state.now < retry_at:
        return Wait(
            f"{'; '.join(reasons)}; but the last {_told(state.runs)}: next attempt on {_clock(retry_at)}",
            until=retry_at,
        )
    retry = f"; retry after {_counted(state.runs)}" if state.runs.without_version else ""
    return Retrain(reasons, _source(state, config), f"{'; '.join(reasons)}{retry}")


def _reasons(state: RetrainState, config: RetrainConfig) -> tuple[str, ...]:
    reasons = []
    if state.new_labels >= config.new_labels:
        reasons.append(f"{state.new_labels:,} new labels have arrived (threshold {config.new_labels:,})")
    due = _due_at(state, config)
    if due is not None and state.now >= due:
        reasons.append(f"the newest version is {config.max_age_days:g} days old or more (due since {_clock(due)})")
    return tuple(reasons)


def _source(state: RetrainState, config: RetrainConfig) -> Source:
    enough = state.new_labels >= config.new_labels
    return state.sources.store if enough or state.learned_from_store else state.sources.configured


def _progress(state: RetrainState, config: RetrainConfig) -> str:
    due = _due_at(state, config)
    by_time = "no version yet, so not by time" if due is None else f"next by time on {_clock(due)}"
    return f"{state.new_labels:,} of {config.new_labels:,} new labels; {by_time}"


def _due_at(state: RetrainState, config: RetrainConfig) -> datetime | None:
    return None if state.registered_at is None else state.registered_at + timedelta(days=config.max_age_days)


def _retry_at(runs: ModelRuns, config: RetrainConfig) -> datetime | None:
    attempts = runs.without_version
    if len(attempts) < 2:
        return None
    doublings = min(len(attempts) - 2, _MOST_DOUBLINGS)
    hours = min(config.backoff_first_hours * 2**doublings, config.backoff_max_hours)
    return attempts[-1].ended_at + timedelta(hours=hours)


def _told(runs: ModelRuns) -> str:
    """Say what became of the last attempts, of which there are at least two."""
    n = len(runs.without_version)
    if not runs.refused:
        return f"{n} runs failed"
    if not runs.failed:
        return f"{n} runs were refused by a gate"
    return f"{n} runs led to no version ({len(runs.failed)} failed, {len(runs.refused)} refused by a gate)"


def _counted(runs: ModelRuns) -> str:
    counted = [
        f"{len(ended)} {what} run{'' if len(ended) == 1 else 's'}"
        for ended, what in ((runs.failed, "failed"), (runs.refused, "refused"))
        if ended
    ]
    return " and ".join(counted)


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
