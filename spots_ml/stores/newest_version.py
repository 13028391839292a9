"""Which of several versions was registered last, by the order that the store gave and never by a clock."""

from collections.abc import Iterable

from spots_ml.interactions.kinds import StoreKind
from spots_ml.registry.records import ModelVersion
from spots_ml.stores.watermark import own


def newest_version(versions: Iterable[ModelVersion], learned_from: StoreKind | None) -> ModelVersion | None:
    """Find the version that was registered last.

    Args:
        versions: Versions of one model.
        learned_from: Only those whose watermark is of a store of this kind; None: any.

    Returns:
        The version; None without any.
    """
    asked = (one for one in versions if learned_from is None or own(one.watermark, learned_from) is not None)
    return max(asked, key=lambda one: one.last_registered_sequence, default=None)
