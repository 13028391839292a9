"""What is live and what comes next, of all models at one moment: the facts of the stores, put together for a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from spots_ml.errors import ArtifactError
from spots_ml.models.declared import ModelType
from spots_ml.monitoring.retraining import RetrainConfig, decide
from spots_ml.monitoring.status import ModelStatus, model_status
from spots_ml.places import Places
from spots_ml.registry.blessings import KeptBlessing
from spots_ml.registry.in_service import InService, in_service
from spots_ml.registry.records import ModelVersion
from spots_ml.registry.serving import read_version
from spots_ml.scoring.fallback import ModelUnavailableError

if TYPE_CHECKING:
    from spots_ml.monitoring.retraining import RetrainState
    from spots_ml.stores.store import Store

_LOOK_BACK: Final = timedelta(days=30)
"""How far back the newest measured day is looked for."""


@dataclass(frozen=True)
class PlatformStatus:
    """All models at one moment.

    Attributes:
        at: Of when this is told (UTC).
        models: One status per model.
    """

    at: datetime
    models: tuple[ModelStatus, ...]

    @property
    def needs_person(self) -> tuple[str, ...]:
        """Everything that somebody has to look at, with the model it is about."""
        return tuple(f"{model.model_type}: {one}" for model in self.models for one in model.needs_person)


def read_status(
    store: "Store",
    places: Places,
    states: "Mapping[ModelType, RetrainState]",
    *,
    retraining: RetrainConfig,
    max_fallback_share: float,
    now: datetime,
) -> PlatformStatus:
    """Read what is live, how it does, what comes next and what needs a person.

    Args:
        store: Versions and measured performance.
        places: Where published versions lie.
        states: By model, what its retraining depends on now.
        retraining: When to learn again.
        max_fallback_share: Largest share of decisions without a model's answer, in [0, 1].
        now: The present, with a time zone.

    Returns:
        The status of every model in `states`, in their order.
    """
    today = now.astimezone(UTC).date()
    measured = store.performance.read_performance(today - _LOOK_BACK, today + timedelta(days=1))
    models = []
    for model_type, state in states.items():
        stands = in_service(store.versions, model_type)
        newest = store.versions.newest(model_type)
        blessing, unreadable = _blessing(store, stands, newest)
        models.append(
            model_status(
                stands,
                decide(state, retraining),
                measured,
                newest=newest,
                blessing=blessing,
                problems=(*unreadable, *_damage(store, places, stands), *_failures(state)),
                watches=state.watches,
                max_fallback_share=max_fallback_share,
                now=now,
            )
        )
    return PlatformStatus(at=now.astimezone(UTC), models=tuple(models))


def _blessing(
    store: "Store", stands: InService, newest: ModelVersion | None
) -> tuple[KeptBlessing | None, tuple[str, ...]]:
    """Look up the newest version's blessing beside what is live; what cannot be read is a problem and no blessing."""
    if newest is None:
        return None, ()
    try:
        live = None if stands.live is None else stands.live.version
        return store.versions.newest_blessing(newest.model_type, newest.version, live), ()
    except ArtifactError as error:
        return None, (str(error),)


def _damage(store: "Store", places: Places, stands: InService) -> list[str]:
    """Say that the live version's files cannot be used; then what stands in for it answers, whatever its status."""
    if stands.live is None:
        return []
    try:
        read_version(store.versions, places.models_dir, stands.live)
    except ModelUnavailableError as error:
        return [f"{stands.live.version} is live, but its files are {error.reason}: {error.detail}"]
    return []


def _failures(state: "RetrainState") -> Sequence[str]:
    failed = state.runs.failed
    if not failed:
        return ()
    times = "its last run" if len(failed) == 1 else f"its last {len(failed)} runs"
    return (f"{times} failed: {failed[-1].told}",)
