"""The facts behind a retraining: what was registered, what has arrived since, what runs, what was refused.

What follows from them is in `retraining`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from spots_ml.interactions.kinds import Source, StoreKind
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.monitoring.causes.learning_curve import CurvePoint
from spots_ml.monitoring.causes.requests import RetrainingRequestLog
from spots_ml.monitoring.causes.watches import WatchLog
from spots_ml.monitoring.refusals import KeptRefusal, Recipe, RefusalLog, Step
from spots_ml.monitoring.refused_before import RefusedBefore
from spots_ml.monitoring.retraining import WATCHED_DAYS, RetrainState, SourceChoice
from spots_ml.monitoring.run_history import RunHistory

if TYPE_CHECKING:
    from spots_ml.interactions.keeping.interaction_store import ArrivedLabels
    from spots_ml.registry.records import ModelVersion


class RegisteredVersions(Protocol):
    """The part of the registry that is asked."""

    def newest(self, model_type: ModelType, *, learned_from: StoreKind | None = None) -> "ModelVersion | None":
        """The version that was registered last; with a kind of store, of those that learned from such a one."""
        ...

    def list_versions(self, model_type: ModelType | None = None) -> "tuple[ModelVersion, ...]":
        """All versions, of one model or of every one."""
        ...


class Attempts(Protocol):
    """Knows what a training would be made with now; asked only where something was refused before."""

    def recipe(self, step: Step) -> Recipe:
        """With what everything up to a step would be made."""
        ...

    def snapshot_digest(self, source: Source) -> str | None:
        """The interactions that a source which is no store holds now; None: they were never read as they are now."""
        ...


@dataclass(frozen=True)
class RefusalFacts:
    """Where to ask what was refused.

    Attributes:
        log: The refusals of the store.
        attempts: Tells with what a model would be made now.
    """

    log: RefusalLog
    attempts: Attempts


def retrain_state(
    model_type: ModelType,
    *,
    versions: RegisteredVersions,
    labels: "ArrivedLabels",
    runs: RunHistory,
    refusals: RefusalFacts,
    requests: RetrainingRequestLog,
    watches: WatchLog,
    sources: SourceChoice,
    now: datetime,
) -> RetrainState:
    """Collect what the retraining decision depends on.

    Labels are counted from the watermark of the newest version that learned from this store. Where there is none, every
    label counts, however many versions learned from elsewhere meanwhile.

    Args:
        model_type: Which model.
        versions: What was registered.
        labels: What has arrived.
        runs: What runs, and what failed.
        refusals: What was refused.
        requests: What somebody asked for.
        watches: What watching found.
        sources: Where interactions can be read from.
        now: The present (UTC).

    Returns:
        The state now.
    """
    of_store = versions.newest(model_type, learned_from=sources.store)
    newest_of_all, today = versions.newest(model_type), now.astimezone(UTC).date()
    newest = of_store or newest_of_all
    registered_at = newest.last_registered_at if newest else None
    watermark = labels.own_watermark(of_store.watermark) if of_store else None
    new_labels = labels.count_labels_after(watermark)
    corrections = labels.count_corrections_after(watermark) if watermark is not None else 0
    known = refusals.log.last_refusals(model_type)
    attempts = refusals.attempts
    refused = _refused_by_store(known, attempts, labels, learned=watermark, arrived=(new_labels, corrections))
    return RetrainState(
        now=now,
        registered_at=registered_at,
        new_labels=new_labels,
        learned_from_store=watermark is not None,
        sources=sources,
        corrections=corrections,
        runs=runs.runs(model_type, store=sources.store, now=now, since=_before(now, registered_at)),
        refused={
            **_refused_by_source(known, attempts, sources),
            **({sources.store: refused} if refused else {}),
        },
        requests=requests.open_requests(model_type),
        taker=runs.name,
        watches=watches.read_watches(model_type, today - timedelta(days=WATCHED_DAYS), today + timedelta(days=1)),
        last_registration=newest_of_all.last_registered_sequence if newest_of_all else 0,
        curve=_curve(model_type, versions, labels),
    )


def _curve(model_type: ModelType, versions: RegisteredVersions, labels: "ArrivedLabels") -> tuple[CurvePoint, ...]:
    """The versions that learned from this store, with the error that each was registered with."""
    headline = model_spec(model_type).headline
    if not headline.smaller_is_better:
        return ()
    return tuple(
        CurvePoint(one.n_labelled, error)
        for one in versions.list_versions(model_type)
        if labels.own_watermark(one.watermark) is not None
        and one.n_labelled > 0
        and (error := one.metrics.get(headline.metric, 0.0)) > 0.0
    )


def _before(now: datetime, moment: datetime | None) -> datetime | None:
    """A moment that a clock ahead told leaves out nothing: it would leave out every failure until then."""
    return None if moment is None or moment > now else moment


def _refused_by_store(
    known: Sequence[KeptRefusal],
    attempts: Attempts,
    labels: "ArrivedLabels",
    *,
    learned: str | None,
    arrived: tuple[int, int],
) -> RefusedBefore | None:
    """None also when a version has learned from later data since: then that refusal says nothing any more."""
    own = [one for one in known if one.watermark is not None and labels.own_watermark(one.watermark) is not None]
    last, changed = _last(own, attempts)
    if last is None:
        return None
    since = (labels.count_labels_after(last.watermark), labels.count_corrections_after(last.watermark))
    if learned is not None and any(after > since_version for after, since_version in zip(since, arrived, strict=True)):
        return None
    return RefusedBefore(last, *since, changed=changed, times=_times(own, last))


def _refused_by_source(
    known: Sequence[KeptRefusal], attempts: Attempts, sources: SourceChoice
) -> Mapping[Source, RefusedBefore]:
    if sources.configured == sources.store:
        return {}
    of_no_store = [one for one in known if one.watermark is None]
    if not of_no_store:
        return {}
    present = attempts.snapshot_digest(sources.configured)
    same = [one for one in of_no_store if one.snapshot_digest == present]
    last, changed = _last(same or of_no_store, attempts)
    if last is None:
        return {}
    contents = () if same else (f"the content of the source {sources.configured!r}",)
    return {sources.configured: RefusedBefore(last, changed=(*contents, *changed), times=_times(same, last))}


def _last(known: Sequence[KeptRefusal], attempts: Attempts) -> tuple[KeptRefusal | None, tuple[str, ...]]:
    """Take the newest refusal of what would be made now; where there is none the newest of all, and what differs."""
    if not known:
        return None, ()
    recipes = {one.step: attempts.recipe(one.step) for one in known}
    for one in known:
        if one.recipe == recipes[one.step]:
            return one, ()
    newest = known[0]
    now, then = recipes[newest.step], newest.recipe
    differing = (
        ("the code", now.code_digest, then.code_digest),
        ("the configuration", now.config_digest, then.config_digest),
    )
    return newest, tuple(name for name, one, other in differing if one != other)


def _times(known: Sequence[KeptRefusal], last: KeptRefusal) -> int:
    def what(one: KeptRefusal) -> tuple[object, ...]:
        return one.step, one.snapshot_digest, one.recipe

    return max(1, sum(what(one) == what(last) for one in known))
