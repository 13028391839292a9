"""The controller: one look at a model's rollout, and what follows from it.

A look reads, decides and writes in one transaction: a process that dies leaves all of it or nothing, and the next look
finds the same. Two who look at once are told apart by the store: the second one looks again, and finds nothing more to
do. Nothing here is a rule of its own: what cannot answer is in `safeguard`, evidence and decision are in `experiments`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.experiments.rollout import Rollout, RolloutChange
from spots_ml.experiments.rollout_store import RolloutChangedError
from spots_ml.models.declared import ModelType
from spots_ml.pipeline.before_traffic.blessing_step import bless_version
from spots_ml.pipeline.forecasting.forecast_step import forecast_before_start
from spots_ml.pipeline.rollouts.evidence_step import new_look
from spots_ml.pipeline.rollouts.next_rollout import RolloutsOfModel, Upcoming, next_rollout, supersedes, to_be_compared
from spots_ml.pipeline.rollouts.safeguard import TakenBack, protect_answers, protect_files, silence
from spots_ml.pipeline.rollouts.starting import rollouts_of, start_upcoming, why_unusable
from spots_ml.pipeline.rollouts.unusable_files import file_trouble
from spots_ml.places import Places
from spots_ml.stores.store import Store
from spots_ml.texts import MAX_LINE, shown


@dataclass(frozen=True)
class Looked:
    """What a look found and did.

    Attributes:
        model_type: The model.
        taken_back: The active version was taken back.
        looked_at: The rollout that was looked at, as it stands since; None: none was on its way.
        change: What was changed of it.
        told: The decision about it in words.
        started: A rollout that was started.
        waits: Why none was started, where none is on its way.
    """

    model_type: ModelType
    taken_back: TakenBack | None = None
    looked_at: Rollout | None = None
    change: RolloutChange | None = None
    told: str | None = None
    started: Rollout | None = None
    waits: str | None = None

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of it, for a person, at least one sentence."""
        taken = self.taken_back
        found = [
            taken.told(self.model_type) if taken else None,
            f"{self.looked_at.name} of {self.looked_at.version}: {self.told}" if self.looked_at else None,
            _started(self.started) if self.started else None,
            f"no rollout is on its way: {self.waits}" if self.waits else None,
        ]
        return tuple(one for one in found if one) or ("nothing is to be done",)


def look(
    store: Store, places: Places, model_type: ModelType, policy: RolloutPolicy, *, now: datetime, actor: str
) -> Looked:
    """Look once, and do what follows.

    Args:
        store: Everything that is kept.
        places: Where published versions lie.
        model_type: Which model.
        policy: By which rules the next rollout starts; one that is on its way keeps its own.
        now: The present, with a time zone.
        actor: Who looks.

    Returns:
        What was found and done.

    Raises:
        RegistryError: When a change is refused that the state of before allowed.
    """
    taken_back = protect_files(store, places, model_type, now=now, actor=actor) or protect_answers(
        store, places, model_type, most=policy.most_fallbacks, now=now, actor=actor
    )
    looked = _again_if_changed(
        model_type, lambda: _look_at_running(store, places, model_type, policy, now=now, actor=actor)
    )
    if policy.auto_start:
        looked = _again_if_changed(model_type, lambda: _start_next(store, places, looked, policy, now=now, actor=actor))
    return replace(looked, taken_back=taken_back)


def _again_if_changed(model_type: ModelType, attempt: Callable[[], Looked]) -> Looked:
    """Look again, once, when somebody else was first; then say so."""
    try:
        return attempt()
    except RolloutChangedError:
        try:
            return attempt()
        except RolloutChangedError as error:
            return Looked(model_type, waits=f"somebody else is changing it: {error}")


def _look_at_running(
    store: Store, places: Places, model_type: ModelType, policy: RolloutPolicy, *, now: datetime, actor: str
) -> Looked:
    known = rollouts_of(store, model_type)
    running = known.running
    if running is None:
        return Looked(model_type)
    change = _cannot_go_on(store, places, known, running, policy, now)
    if change is not None:
        stands = store.rollouts.change_rollout(running.number, change, after=running.last_event, now=now, actor=actor)
        return Looked(model_type, looked_at=stands, change=change, told=change.reason)
    units, found = new_look(store, running, now=now)
    stands = store.rollouts.record_look(
        running.number, after=running.last_event, units=units, look=found, now=now, actor=actor
    )
    return Looked(model_type, looked_at=stands, change=found.change, told=found.told)


def _cannot_go_on(
    store: Store, places: Places, known: RolloutsOfModel, running: Rollout, policy: RolloutPolicy, now: datetime
) -> RolloutChange | None:
    """What ends a rollout whatever its outcomes are: files that are lost, a version that is silent, a newer one."""
    row = next(one for one in known.versions if one.version == running.version)
    trouble = file_trouble(store.versions, places.models_dir, row)
    if trouble is not None and trouble.for_good:
        return RolloutChange(action="rolled_back", cause="artifact", reason=_line(trouble.told))
    if running.kind == "version":
        told = silence(
            store,
            running.model_type,
            running.version,
            since=running.started_at,
            most=running.policy.most_fallbacks,
            now=now,
        )
        if told is not None:
            return RolloutChange(action="rolled_back", cause="fallbacks", reason=_line(told))
    newer = supersedes(known, policy)
    if newer is not None:
        return RolloutChange(action="ended", cause="superseded", reason=f"{newer.version} takes its place")
    return None


def _start_next(
    store: Store, places: Places, looked: Looked, policy: RolloutPolicy, *, now: datetime, actor: str
) -> Looked:
    known = rollouts_of(store, looked.model_type)
    if known.running is not None or looked.waits is not None:
        return looked
    upcoming = next_rollout(known, policy)
    uncompared = to_be_compared(known)
    if not isinstance(upcoming, Upcoming) and uncompared is not None:
        # The main job compares what it registers; what is active may be another one since.
        bless_version(places, store.versions, looked.model_type, uncompared.version, now=now, actor=actor)
        upcoming = next_rollout(rollouts_of(store, looked.model_type), policy)
    if not isinstance(upcoming, Upcoming):
        return replace(looked, waits=upcoming)
    unusable = why_unusable(store, places.models_dir, looked.model_type, upcoming)
    if unusable is not None:
        return replace(looked, waits=unusable)
    if upcoming.kind == "version":
        forecast_before_start(
            store, places.models_dir, looked.model_type, upcoming.version, policy, now=now, actor=actor
        )
    started = start_upcoming(store, places.models_dir, looked.model_type, upcoming, policy, now=now, actor=actor)
    return replace(looked, started=started)


def _started(rollout: Rollout) -> str:
    at = f" at the weight {rollout.weight:g}" if rollout.kind == "weight" else ""
    return (
        f"{rollout.name} of {rollout.version}{at} has started: {rollout.share:.0%} of the hybrid group, against "
        f"{rollout.champion or 'what answers without a version'}; promoted when e >= {1.0 / rollout.level:,.0f}"
    )


def _line(text: str) -> str:
    return shown(text, limit=MAX_LINE - 30)
