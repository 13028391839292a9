"""When to learn again: a pure decision from the state of the world, the same for sensor, command line and simulator.

Nothing here counts, starts or schedules; the state is collected by whoever asks.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field


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
        description="Hours to wait after the second failure in a row; doubled after each more.",
    )
    backoff_max_hours: float = Field(
        default=24.0, gt=0, le=8_760, description="Longest wait in hours between two attempts after failures."
    )


@dataclass(frozen=True)
class RetrainState:
    """What the decision depends on, for one model.

    Attributes:
        now: The present (UTC, with zone).
        registered_at: When the newest version was last registered; None without any version.
        new_labels: Labels that arrived since the data behind the newest version; all labels without a version.
        in_flight: Ids of the queued or running runs that train this model, whoever started them.
        failures_since_success: Failed runs in a row since the newest registration.
        last_failure_at: When the latest of them ended; None without one.
    """

    now: datetime
    registered_at: datetime | None
    new_labels: int
    in_flight: tuple[str, ...] = ()
    failures_since_success: int = 0
    last_failure_at: datetime | None = None


@dataclass(frozen=True)
class Retrain:
    """Retrain now.

    Attributes:
        reasons: Every threshold that was reached, one sentence each; at least one.
        message: One line for a person.
    """

    reasons: tuple[str, ...]
    message: str


@dataclass(frozen=True)
class Wait:
    """Do not retrain now.

    Attributes:
        message: One line for a person: why not, and how far it is.
    """

    message: str


def decide(state: RetrainState, config: RetrainConfig) -> Retrain | Wait:
    """Decide whether a model is to be trained again.

    Due at `config.new_labels` new labels, or `config.max_age_days` after the newest registration (both inclusive).
    Without any version only labels count: age has nothing to be measured from. Never while a run is in flight. After
    one failure the next attempt follows at once, after more it waits 1, 2, 4, ... hours (see `RetrainConfig`).

    Args:
        state: The present state of one model.
        config: The thresholds.

    Returns:
        `Retrain` with every reason, or `Wait` with the progress.

    >>> from datetime import datetime, UTC
    >>> state = RetrainState(
    ...     now=datetime(2026, 11, 22, tzinfo=UTC), registered_at=datetime(2026, 11, 21, 10, tzinfo=UTC), new_labels=742
    ... )
    >>> decide(state, RetrainConfig()).message
    '742 of 1,000 new labels; next by time on 2026-11-28 10:00 UTC'
    """
    reasons = _reasons(state, config)
    progress = _progress(state, config)
    if state.in_flight:
        runs = ", ".join(state.in_flight)
        return Wait(f"run {runs} is queued or running; {progress}")
    if not reasons:
        return Wait(progress)
    retry_at = _retry_at(state, config)
    if retry_at is not None and state.now < retry_at:
        return Wait(
            f"{'; '.join(reasons)}; but the last {state.failures_since_success} runs failed: "
            f"next attempt on {_clock(retry_at)}"
        )
    retry = (
        f"; retry after {_count(state.failures_since_success, 'failed run')}" if state.failures_since_success else ""
    )
    return Retrain(reasons, f"{'; '.join(reasons)}{retry}")


def _reasons(state: RetrainState, config: RetrainConfig) -> tuple[str, ...]:
    reasons = []
    if state.new_labels >= config.new_labels:
        reasons.append(f"{state.new_labels:,} new labels have arrived (threshold {config.new_labels:,})")
    due = _due_at(state, config)
    if due is not None and state.now >= due:
        reasons.append(f"the newest version is {config.max_age_days:g} days old or more (due since {_clock(due)})")
    return tuple(reasons)


def _progress(state: RetrainState, config: RetrainConfig) -> str:
    due = _due_at(state, config)
    by_time = "no version yet, so not by time" if due is None else f"next by time on {_clock(due)}"
    return f"{state.new_labels:,} of {config.new_labels:,} new labels; {by_time}"


def _due_at(state: RetrainState, config: RetrainConfig) -> datetime | None:
    return None if state.registered_at is None else state.registered_at + timedelta(days=config.max_age_days)


def _retry_at(state: RetrainState, config: RetrainConfig) -> datetime | None:
    if state.failures_since_success < 2 or state.last_failure_at is None:
        return None
    doublings = min(state.failures_since_success - 2, 60)
    hours = min(config.backoff_first_hours * 2**doublings, config.backoff_max_hours)
    return state.last_failure_at + timedelta(hours=hours)


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
