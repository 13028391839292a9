"""Watches over the active version: what cannot answer is taken back at once, whatever its outcomes were.

It goes back to the nearest version before it whose files can be used or, where there is none, to the formula. Two who
find the same trouble take one version back, not two: each names the version that it found. Harm while a version is
rolled out is the business of the ramp.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.errors import RegistryError
from spots_ml.models.declared import ModelType, model_spec
from spots_ml.monitoring.fallback_budget import COLUMNS, LOOKED_AT, beyond_budget, share_unanswered
from spots_ml.pipeline.rollouts.both_routes import read_both_routes
from spots_ml.pipeline.rollouts.unusable_files import file_trouble
from spots_ml.places import Places
from spots_ml.registry.in_service import InService, in_service
from spots_ml.registry.records import HistoryEntry, ModelVersion
from spots_ml.stores.store import Store
from spots_ml.texts import MAX_LINE, shown

BY_ITSELF: Final = "taken back by itself: "
"""How the reason of such a change begins in the history."""
_SEED: Final = 0


@dataclass(frozen=True)
class TakenBack:
    """The active version was taken back.

    Attributes:
        version: Which.
        cause: Why.
        instead: The version that is active now; None: the formula, or the outcome rule, answers.
    """

    version: str
    cause: str
    instead: str | None

    def told(self, model_type: ModelType) -> str:
        """Say it to a person."""
        answers = self.instead or model_spec(model_type).stand_in
        return f"{self.version} was taken back by itself, {answers} answers: {self.cause}"


def protect_files(
    store: Store, places: Places, model_type: ModelType, *, now: datetime, actor: str
) -> TakenBack | None:
    """Take the active version back when its files are lost for good.

    Args:
        store: The registry.
        places: Where published versions lie.
        model_type: Which model.
        now: The present (UTC).
        actor: Who looks.

    Returns:
        What was done; None: nothing had to be, or somebody else was first.
    """
    stands = in_service(store.versions, model_type)
    if stands.live is None:
        return None
    trouble = file_trouble(store.versions, places.models_dir, stands.live)
    if trouble is None or not trouble.for_good:
        return None
    return _take_back(store, places, stands, stands.live, trouble.told, now, actor)


def protect_answers(
    store: Store, places: Places, model_type: ModelType, *, most: float, now: datetime, actor: str
) -> TakenBack | None:
    """Take the active version back when too many of the last day's decisions were made without its answer.

    Args:
        store: The registry, the decision log and the reports of phones.
        places: Where published versions lie.
        model_type: Which model.
        most: Largest share that is accepted, in [0, 1].
        now: The present (UTC).
        actor: Who looks.

    Returns:
        What was done; None: nothing had to be, or somebody else was first.
    """
    stands = in_service(store.versions, model_type)
    if stands.live is None or stands.since_at is None:
        return None
    cause = silence(store, model_type, stands.live.version, since=stands.since_at, most=most, now=now)
    return None if cause is None else _take_back(store, places, stands, stands.live, cause, now, actor)


def silence(
    store: Store, model_type: ModelType, version: str, *, since: datetime, most: float, now: datetime
) -> str | None:
    """Tell whether a version does not answer, from the last day's decisions of both routes.

    Args:
        store: The registry, the decision log and the reports of phones.
        model_type: Which model.
        version: Its version.
        since: Since when it is asked.
        most: Largest share of its decisions without its answer that is accepted, in [0, 1].
        now: The present (UTC).

    Returns:
        One sentence with the numbers; None: it does, or too few agents tell otherwise.
    """
    begin = max(since, now - LOOKED_AT)
    if begin >= now:
        return None
    columns = list(COLUMNS)
    decided = pa.concat_tables(
        [table.select(columns) for table in read_both_routes(store, begin, now, columns=columns)],
        promote_options="default",
    )
    if not pc.any(pc.is_valid(decided["fallback"])).as_py():
        return None
    return beyond_budget(share_unanswered(decided, model_type, version, seed=_SEED), most)


def taken_back_by_itself(history: Iterable[HistoryEntry], *, since: datetime) -> HistoryEntry | None:
    """Find the last time that a model's active version was taken back by itself.

    Args:
        history: The model's entries in their order.
        since: Moments before this one do not count (UTC).

    Returns:
        The entry; None where there is none, or a version was promoted since.
    """
    found: HistoryEntry | None = None
    for entry in history:
        if entry.action == "rolled_back" and entry.reason.startswith(BY_ITSELF):
            found = entry
        elif entry.action == "promoted":
            found = None
    return found if found is not None and found.at >= since else None


def _take_back(
    store: Store, places: Places, stands: InService, live: ModelVersion, cause: str, now: datetime, actor: str
) -> TakenBack | None:
    reason = shown(f"{BY_ITSELF}{cause}", limit=MAX_LINE - 30)
    model_type = stands.model_type
    sound = _nearest_sound(store, places, stands)
    try:
        store.versions.take_back(model_type, live.version, instead=sound, now=now, actor=actor, reason=reason)
    except RegistryError:
        # Another one was first; whatever is active now is looked at the next time.
        now_active = in_service(store.versions, model_type).live
        if now_active is None or now_active.version != live.version:
            return None
        raise
    return TakenBack(live.version, cause, sound)


def _nearest_sound(store: Store, places: Places, stands: InService) -> str | None:
    """The nearest version before the active one that can answer."""
    for name in stands.back_to:
        if stands.live is not None and name == stands.live.version:
            continue  # promoted again over another one: it is behind itself
        row = store.versions.get(stands.model_type, name)
        if file_trouble(store.versions, places.models_dir, row) is None:
            return name
    return None
