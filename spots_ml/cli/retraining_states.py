"""What the retraining decision of each model depends on, for the commands that tell it."""

from datetime import datetime
from typing import TYPE_CHECKING

from spots_ml.models.declared import ModelType, declared_types
from spots_ml.settings import Settings

if TYPE_CHECKING:
    from spots_ml.monitoring.retraining import RetrainState


def present_states(settings: Settings, *, now: datetime) -> "dict[ModelType, RetrainState]":
    """Collect the facts of all models.

    Args:
        settings: Say which store, which source and what would be trained with.
        now: The present (UTC).

    Returns:
        The state by model. Runs and failures are those of DAGSTER_HOME; without one, none are known.
    """
    from spots_ml.defs.history.home import open_run_history
    from spots_ml.defs.resources import Platform
    from spots_ml.monitoring.retraining import SourceChoice
    from spots_ml.monitoring.retraining_facts import RefusalFacts, retrain_state
    from spots_ml.opening import open_store

    store, attempts = open_store(settings), Platform(settings).attempts()
    refusals = RefusalFacts(store.refusals, lambda _: attempts)
    with open_run_history() as runs:
        return {
            model_type: retrain_state(
                model_type,
                versions=store.versions,
                labels=store.interactions,
                runs=runs,
                refusals=refusals,
                sources=SourceChoice(settings.source, settings.store),
                now=now,
            )
            for model_type in declared_types()
        }
