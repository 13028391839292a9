"""A rollout: one challenger that earns its traffic against the champion, and what happened to it.

Which changes follow from evidence is in `ramp`; where rollouts are kept is up to `stores`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from pydantic import Field

from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.models.declared import ModelType
from spots_ml.registry.records import UtcTime
from spots_ml.release.documents import ReleaseDocument

RolloutKind = Literal["version", "weight"]
"""What is tried: another version, or the active version at another weight."""

RolloutStatus = Literal["running", "paused", "promoted", "rolled_back", "ended"]
ON_THE_WAY: Final = frozenset({"running", "paused"})
"""A paused rollout keeps its traffic and may still be rolled back; it is neither widened nor promoted."""

RolloutAction = Literal["started", "widened", "paused", "resumed", "promoted", "rolled_back", "ended"]
ROLLOUT_ACTIONS: Final[tuple[RolloutAction, ...]] = get_args(RolloutAction)

Cause = Literal[
    "evidence",
    "harm",
    "guardrail",
    "fallbacks",
    "artifact",
    "sample_ratio",
    "futile",
    "too_long",
    "superseded",
    "champion_changed",
    "by_hand",
]
"""Why something happened; `by_hand` is a person who stepped around the evidence, and carries a reason.

Of a start, `evidence` says that nobody stepped around the blessing, whoever started it.
"""


def rollout_name(number: int) -> str:
    """Name a rollout as the decision log does.

    >>> rollout_name(3)
    'rollout-3'
    """
    return f"rollout-{number}"


class RolloutStart(ReleaseDocument):
    """What is fixed when a rollout starts."""

    model_type: ModelType
    kind: RolloutKind
    version: str = Field(min_length=1, description="The challenger.")
    weight: float = Field(ge=0.0, le=1.0, description="At which it answers.")
    champion: str | None = Field(description="The active version; null: the formula, or the outcome rule, answers.")
    salt: str = Field(pattern=r"^[0-9a-f]{32}$", description="Places agents; of this rollout alone.")
    policy: RolloutPolicy
    n_before: int = Field(ge=0, description="Rollouts of the store before it, of all models.")
    n_promoted_before: int = Field(ge=0, description="Of these, those that evidence had promoted.")
    level: float = Field(gt=0.0, lt=1.0, description="Its part of the error budget: promoted when e >= 1 / level.")


class Rollout(RolloutStart):
    """A rollout as it stands."""

    number: int = Field(ge=1, description="Given by the store; later ones have higher numbers.")
    status: RolloutStatus
    stage: int = Field(ge=1, description="From 1; where it was when it ended.")
    started_at: UtcTime
    promoted_by: Cause | None = Field(
        default=None, description="What its promotion followed; null: it was not promoted. A hand's is no evidence."
    )
    last_event: int = Field(ge=1, description="Number of its last event: whoever changes it must have seen that.")

    @property
    def name(self) -> str:
        """Its name in the decision log."""
        return rollout_name(self.number)

    @property
    def share(self) -> float:
        """Share of the hybrid group that is treated; 0 when it is over."""
        return self.policy.shares[self.stage - 1] if self.status in ON_THE_WAY else 0.0

    @property
    def reach(self) -> float:
        """Share of the hybrid group that gets what is tried: all of it after a promotion."""
        return 1.0 if self.status == "promoted" else self.share


def n_promoted_by_evidence(rollouts: Iterable[Rollout]) -> int:
    """Count the promotions that add to the error budget: those that a hand made found nothing.

    Args:
        rollouts: All of a store, of every model.

    Returns:
        How many evidence has promoted.
    """
    return sum(one.promoted_by == "evidence" for one in rollouts)


class RolloutChange(ReleaseDocument):
    """A change that is to be made, and why."""

    action: RolloutAction
    cause: Cause
    reason: str = Field(min_length=1, description="One line for a person, with the numbers.")


class RolloutEvent(RolloutChange):
    """A change that was made; events are only ever added."""

    number: int = Field(ge=1, description="Order of the events over all rollouts, given by the store.")
    rollout: int = Field(ge=1)
    at: UtcTime = Field(description="By the clock of who made it; for people, and for the periods of stages.")
    stage: int = Field(ge=1, description="Since.")
    share: float = Field(ge=0.0, le=1.0, description="Of the hybrid group that is treated since.")
    actor: str = Field(min_length=1)
    look: int | None = Field(default=None, ge=1, description="Number of the look whose evidence it follows.")

    @property
    def reach(self) -> float:
        """Share of the hybrid group that gets what is tried since: all of it after a promotion."""
        return 1.0 if self.action == "promoted" else self.share

    @property
    def told_cause(self) -> str:
        """What it followed, in words; no outcome asks for a start, which the registry allows and its actor wants."""
        if self.action == "started" and self.cause == "evidence":
            return "allowed"
        return self.cause.replace("_", " ")


@dataclass(frozen=True)
class StagePeriod:
    """When a stage was.

    Attributes:
        stage: Its number, from 1.
        low: Share that was treated before it, in [0, 1).
        share: Share that is treated in it.
        since: Its begin, inclusive (UTC).
        until: Its end, exclusive; None: it goes on.
    """

    stage: int
    low: float
    share: float
    since: datetime
    until: datetime | None

    @property
    def conditional_share(self) -> float:
        """Share of its fresh agents that is treated."""
        return (self.share - self.low) / (1.0 - self.low)


def stage_periods(events: Iterable[RolloutEvent]) -> tuple[StagePeriod, ...]:
    """Read the stages out of the events of one rollout.

    Args:
        events: In the order of their numbers.

    Returns:
        The stages that were reached; one whose end, by another clock, lies before its begin is empty.
    """
    periods: list[StagePeriod] = []
    for event in events:
        if event.action not in ("started", "widened", "promoted", "rolled_back", "ended"):
            continue
        low = 0.0
        if periods:
            last = periods.pop()
            until = max(event.at, last.since)
            periods.append(StagePeriod(last.stage, last.low, last.share, last.since, until))
            low = last.share
        if event.action in ("started", "widened"):
            periods.append(StagePeriod(event.stage, low, event.share, event.at, None))
    return tuple(periods)
