"""What the retraining decision of each model depends on, for sensors, the overview and the commands that tell it."""

from typing import TYPE_CHECKING

from spots_ml.defs.resources import Platform
from spots_ml.models.declared import ModelType, declared_types
from spots_ml.monitoring.retraining import RetrainState, SourceChoice
from spots_ml.monitoring.retraining_facts import RefusalFacts, retrain_state
from spots_ml.monitoring.run_history import RunHistory

if TYPE_CHECKING:
    from spots_ml.stores.store import Store


def retraining_state(platform: Platform, store: "Store", runs: RunHistory, model_type: ModelType) -> RetrainState:
    """Collect what the decision about one model depends on, as it is now.

    Args:
        platform: The settings, what a training would be made with, and what time it is.
        store: Where versions, interactions and refusals are kept.
        runs: What runs, and what failed.
        model_type: Which model.

    Returns:
        The state of the model.
    """
    settings = platform.settings
    return retrain_state(
        model_type,
        versions=store.versions,
        labels=store.interactions,
        runs=runs,
        refusals=RefusalFacts(store.refusals, platform.attempts(lambda: store.versions.list_versions(model_type))),
        requests=store.retraining_requests,
        watches=store.watches,
        sources=SourceChoice(settings.source, settings.store),
        now=platform.now(),
    )


def retraining_states(platform: Platform, store: "Store", runs: RunHistory) -> dict[ModelType, RetrainState]:
    """Collect the same for every model.

    Args:
        platform: See `retraining_state`.
        store: See there.
        runs: See there.

    Returns:
        The state by model, in the order of their declarations.
    """
    return {model_type: retraining_state(platform, store, runs, model_type) for model_type in declared_types()}
