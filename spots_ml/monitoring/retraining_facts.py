"""The facts behind a retraining: what was registered, what has arrived since, what runs.

What follows from them is in `retraining`.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from spots_ml.models.declared import ModelType
from spots_ml.monitoring.retraining import RetrainState, SourceChoice
from spots_ml.monitoring.run_history import RunHistory

if TYPE_CHECKING:
    from spots_ml.interactions.keeping.interaction_store import ArrivedLabels
    from spots_ml.interactions.kinds import StoreKind
    from spots_ml.registry.records import ModelVersion


class RegisteredVersions(Protocol):
    """The part of the registry that is asked."""

    def newest(self, model_type: ModelType, *, learned_from: "StoreKind | None" = None) -> "ModelVersion | None":
        """The version that was registered last, of all or of those whose watermark is of a store of this kind."""
        ...


def retrain_state(
    model_type: ModelType,
    *,
    versions: RegisteredVersions,
    labels: "ArrivedLabels",
    runs: RunHistory,
    sources: SourceChoice,
    now: datetime,
) -> RetrainState:
    """Collect what the retraining decision depends on.

    Labels are counted from the watermark of the newest version. A version that learned from no store, or from one of
    the other kind, has none that says anything here: then every label counts.

    Args:
        model_type: Which model.
        versions: What was registered.
        labels: What has arrived.
        runs: What runs, and what led to nothing.
        sources: Where interactions can be read from.
        now: The present (UTC).

    Returns:
        The state now.
    """
    newest = versions.newest(model_type)
    registered_at = newest.last_registered_at if newest else None
    watermark = labels.own_watermark(newest.watermark) if newest else None
    return RetrainState(
        now=now,
        registered_at=registered_at,
        new_labels=labels.count_labels_after(watermark),
        learned_from_store=watermark is not None,
        sources=sources,
        runs=runs.runs(model_type, now=now, since=registered_at),
    )
