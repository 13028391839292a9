"""What is live and what comes next, of all models at one moment: the facts of the stores, put together for a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.models.declared import ModelType
from spots_ml.monitoring.retraining import RetrainConfig, decide
from spots_ml.monitoring.status import ModelStatus, model_status
from spots_ml.pipeline.rollouts.rollout_view import rollout_view
from spots_ml.places import Places
from spots_ml.registry.in_service import InService, in_service
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
    rollout: RolloutPolicy,
    max_fallback_share: float,
    now: datetime,
) -> PlatformStatus:
    """Read what is live, how it does, what comes next and what needs a person.

    Args:
        store: Versions and measured performance.
        places: Where published versions lie.
        states: By model, what its retraining depends on now.
        retraining: When to learn again.
        rollout: By which rules the next version is rolled out.
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
        rolled_out = rollout_view(store, model_type, rollout, now=now)
        models.append(
            model_status(
                stands,
                decide(state, retraining),
                measured,
                rollout=rolled_out.state,
                problems=(*_damage(store, places, stands), *_failures(state), *rolled_out.needs_person),
                watches=state.watches,
                max_fallback_share=max_fallback_share,
                now=now,
            )
        )
    return PlatformStatus(at=now.astimezone(UTC), models=tuple(models))


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
