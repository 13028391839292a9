"""Whether a model's rollout is to be looked at now: a few counts and names, no decision is read for it.

Units become whole by the day, so a look a day finds all there is; what a person or the registry changed, and what may
start, is looked at at once, and so are files of a challenger that are lost.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.models.declared import ModelType
from spots_ml.pipeline.rollouts.next_rollout import Upcoming, next_rollout, to_be_compared
from spots_ml.pipeline.rollouts.starting import rollouts_of
from spots_ml.pipeline.rollouts.unusable_files import file_trouble
from spots_ml.registry.blessings import against
from spots_ml.registry.lifecycle import find
from spots_ml.stores.store import Store

LOOK_EVERY: Final = timedelta(hours=24)


@dataclass(frozen=True)
class LookDue:
    """Whether to look.

    Attributes:
        model_type: The model.
        is_due: Whether to look now.
        told: Why, or why not and when.
        state: What it was decided by, in one line: the same state needs no second look within the hour.
    """

    model_type: ModelType
    is_due: bool
    told: str
    state: str


def look_due(
    store: Store,
    models_dir: Path,
    model_type: ModelType,
    policy: RolloutPolicy,
    *,
    looked_at: datetime | None,
    now: datetime,
) -> LookDue:
    """Decide whether to look.

    Args:
        store: The registry and the rollouts.
        models_dir: The folder of all published versions.
        model_type: Which model.
        policy: The rules by which the next rollout starts.
        looked_at: When somebody looked last, whether or not anything was on its way (UTC); None: nobody did.
        now: The present (UTC).

    Returns:
        The decision.
    """
    known = rollouts_of(store, model_type)
    running, active = known.running, known.active
    if running is None:
        upcoming = next_rollout(known, policy)
        answers = "-" if active is None else active.version
        if policy.auto_start and isinstance(upcoming, Upcoming):
            return LookDue(
                model_type, True, f"{upcoming.version} may start: {upcoming.reason}", f"start {upcoming.version}"
            )
        uncompared = to_be_compared(known)
        if policy.auto_start and isinstance(upcoming, str) and uncompared is not None:
            beside = against(None if active is None else active.version, model_type)
            told = f"{uncompared.version} is to be compared with {beside}"
            return LookDue(model_type, True, told, f"compare {uncompared.version} with {answers}")
        told = upcoming if isinstance(upcoming, str) else f"{upcoming.version} waits for somebody to start it"
        if active is None:
            return LookDue(model_type, False, f"nothing is active or rolled out; {told}", answers)
        return _daily(model_type, looked_at, now, f"{answers} is active, nothing is rolled out; {told}", answers)
    looks = store.rollouts.rollout_looks(running.number, limit=1)
    seen = looks[-1].at if looks else None
    event = store.rollouts.rollout_events(running.number)[-1]
    state = f"{running.name} event {running.last_event} look {looks[-1].number if looks else 0}"
    if event.number > 1 and event.action == "resumed" and (seen is None or event.at > seen):
        return LookDue(model_type, True, f"{running.name} goes on since {event.at:%Y-%m-%d %H:%M} UTC", state)
    trouble = file_trouble(store.versions, models_dir, find(known.versions, model_type, running.version))
    if trouble is not None and trouble.for_good:
        return LookDue(model_type, True, f"{running.name} cannot go on: {trouble.told}", state)
    return _daily(model_type, seen or running.started_at, now, f"{running.name} is {running.status}", state)


def _daily(model_type: ModelType, last: datetime | None, now: datetime, told: str, state: str) -> LookDue:
    # One that was by a clock that was ahead says nothing of when the next one is due.
    if last is None or not timedelta(0) <= now - last < LOOK_EVERY:
        when = "never" if last is None else f"{last:%Y-%m-%d %H:%M} UTC"
        return LookDue(model_type, True, f"{told}; looked at last: {when}", f"{state} after {when}")
    return LookDue(model_type, False, f"{told}; the next look is at {last + LOOK_EVERY:%Y-%m-%d %H:%M} UTC", state)
