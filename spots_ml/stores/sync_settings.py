"""Repeating in one registry the weights that were set in another.

What somebody has set in the target is the target's own and stays. Changes of status are in `sync_moves`; traffic is a
rollout's, and is never carried over.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from spots_ml.errors import RegistryError
from spots_ml.registry.records import ModelVersion
from spots_ml.registry.version_store import VersionStore
from spots_ml.stores.sync_moves import REASON


def repeat_weights(
    versions: Sequence[ModelVersion], target: VersionStore, *, clock: Callable[[], datetime], actor: str
) -> dict[tuple[str, str], str]:
    """Give the versions of the target the weights they have in the source; to be called before status changes.

    A version that is deprecated or archived in the target keeps its weight.

    Args:
        versions: The versions of the registry to follow.
        target: The registry that follows.
        clock: Tells the present (UTC).
        actor: Who does this, for the history.

    Returns:
        Model and version -> why its weight stays what it is, where the target's registry refused another.
    """
    there = {(one.model_type, one.version): one for one in target.list_versions()}
    refused = {}
    for one in versions:
        known = there.get((one.model_type, one.version))
        if known is None or known.status not in ("staging", "active") or known.weight == one.weight:
            continue
        entries = target.history(one.model_type, one.version)
        if all(entry.reason == REASON for entry in entries if entry.action == "weight_set"):
            try:
                target.set_weight(one.model_type, one.version, one.weight, now=clock(), actor=actor, reason=REASON)
            except RegistryError as error:
                refused[one.model_type, one.version] = str(error)
    return refused
