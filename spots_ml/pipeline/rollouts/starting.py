"""Starts rollouts: by themselves, or by a person. Which one comes next is decided in `next_rollout`."""

import secrets
from datetime import datetime
from pathlib import Path
from typing import Final

from spots_ml.errors import RegistryError
from spots_ml.experiments.budget import level_at
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.experiments.rollout import Rollout, RolloutStart, n_promoted_by_evidence
from spots_ml.models.declared import ModelType
from spots_ml.pipeline.rollouts.next_rollout import RolloutsOfModel, Upcoming, candidates, challenge
from spots_ml.pipeline.rollouts.unusable_files import file_trouble
from spots_ml.registry.lifecycle import find
from spots_ml.stores.store import Store

_SALT_BYTES: Final = 16


def rollouts_of(store: Store, model_type: ModelType) -> RolloutsOfModel:
    """Read what is known of one model's versions and rollouts.

    Args:
        store: The registry and the rollouts.
        model_type: Which model.

    Returns:
        Rollouts first: what started meanwhile is seen when it is to be changed.
    """
    return RolloutsOfModel(
        model_type=model_type,
        rollouts=store.rollouts.list_rollouts(model_type),
        versions=store.versions.list_versions(model_type),
        history=store.versions.history(model_type),
        blessing=lambda version, champion: store.versions.newest_blessing(model_type, version, champion),
    )


def start_upcoming(
    store: Store,
    models_dir: Path,
    model_type: ModelType,
    upcoming: Upcoming,
    policy: RolloutPolicy,
    *,
    now: datetime,
    actor: str,
    reason: str = "",
    forced: bool = False,
) -> Rollout:
    """Start a rollout at its part of the error budget, with a salt of its own.

    Args:
        store: The registry and the rollouts.
        models_dir: The folder of all published versions.
        model_type: Which model.
        upcoming: What starts.
        policy: The rules that it keeps.
        now: The present (UTC).
        actor: Who starts it.
        reason: Why; empty: what speaks for it.
        forced: Whether a person steps around the blessing.

    Returns:
        The rollout.

    Raises:
        RolloutChangedError: When somebody else was first; nothing was changed.
        RegistryError: When the version cannot be rolled out, or its files cannot be used here.
    """
    unusable = why_unusable(store, models_dir, model_type, upcoming)
    if unusable is not None:
        raise RegistryError(f"{model_type} {unusable}")
    before = store.rollouts.list_rollouts()
    n_promoted = n_promoted_by_evidence(before)
    start = RolloutStart(
        model_type=model_type,
        kind=upcoming.kind,
        version=upcoming.version,
        weight=upcoming.weight,
        champion=upcoming.champion,
        salt=new_salt(),
        policy=policy,
        n_before=len(before),
        n_promoted_before=n_promoted,
        level=level_at(len(before), n_promoted, policy.lifetime_level),
    )
    return store.rollouts.start_rollout(start, now=now, actor=actor, reason=reason or upcoming.reason, forced=forced)


def why_unusable(store: Store, models_dir: Path, model_type: ModelType, upcoming: Upcoming) -> str | None:
    """Tell whether a version could answer at all: a rollout of one that cannot spends of the error budget for nothing.

    Args:
        store: The registry.
        models_dir: The folder of all published versions.
        model_type: Which model.
        upcoming: What is to start.

    Returns:
        A sentence that begins with the version; None: its files can be used.
    """
    trouble = file_trouble(store.versions, models_dir, store.versions.get(model_type, upcoming.version))
    return None if trouble is None else f"{upcoming.version} is not rolled out: {trouble.told}"


def new_salt() -> str:
    """Draw the salt of a rollout: nobody knows before who will be treated, and no rollout treats whom another did."""
    return secrets.token_hex(_SALT_BYTES)


def chosen_by_hand(known: RolloutsOfModel, version: str | None) -> Upcoming:
    """Describe the rollout that a person asks for.

    Args:
        known: Versions and rollouts of the model.
        version: Name of a version; None: the newest that waits.

    Returns:
        The rollout; whether it may start is up to the store.

    Raises:
        RegistryError: When there is no such version, or none that waits.
    """
    if version is not None:
        return challenge(known, find(known.versions, known.model_type, version), reason="started by hand")
    waiting = candidates(known)
    if not waiting:
        raise RegistryError(
            f"no version of {known.model_type} in staging is newer than what is active or was rolled out last; name "
            f"one: `spots-ml rollout start {known.model_type} VERSION`"
        )
    return challenge(known, waiting[0], reason="started by hand")
