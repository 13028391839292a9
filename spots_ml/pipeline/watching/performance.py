"""Watches whether the version in service still does what was measured when it was registered, and keeps that."""

import math
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import pyarrow as pa

from spots_ml.models.declared import model_in, model_spec
from spots_ml.models.spec import Rival, Role
from spots_ml.monitoring.causes.promise import COLUMNS, LOOK_BACK, NEEDED, Kept, Promise, hold_against
from spots_ml.monitoring.causes.watches import CARRIED_FOR, Watch, first_found
from spots_ml.pipeline.rollouts.both_routes import read_both_routes
from spots_ml.places import Places
from spots_ml.registry.in_service import in_service
from spots_ml.registry.records import ModelVersion
from spots_ml.registry.serving import read_version
from spots_ml.scoring.fallback import ModelUnavailableError
from spots_ml.stores.store import Store

_TOPIC: Final = "performance_fell"


def watch_performance(
    store: Store, places: Places, day: date, *, now: datetime, maturity: timedelta, tolerance: float
) -> Watch | None:
    """Hold the version in service against its promise, as of the end of a day, and keep what was found.

    Args:
        store: Decisions, reports of phones, the registry and what was found before.
        places: Where published versions lie.
        day: The day (UTC); of today as far as it has come.
        now: The present, with a time zone.
        maturity: How long an outcome may take.
        tolerance: What may be lost of the lead, as a share of the formula's error at registration.

    Returns:
        What was found; None where nothing was: no version was in service on that day, or it promised nothing.
    """
    model_type = model_in(Role.NEURAL_SCORE).name
    standing = in_service(store.versions, model_type)
    until = min(now.astimezone(UTC), datetime.combine(day, time(), UTC) + timedelta(days=1))
    if standing.live is None or standing.since_at is None or standing.since_at >= until:
        return None
    promise = _promise(store, places, standing.live)
    if promise is None:
        return None
    kept = hold_against(
        _decisions(store, until),
        promise,
        version=standing.live.version,
        since=standing.since_at.astimezone(UTC),
        now=until,
        maturity=maturity,
        tolerance=tolerance,
    )
    newest = store.versions.newest(model_type)
    watch = Watch(
        day=day,
        model_type=model_type,
        topic=_TOPIC,
        version=standing.live.version,
        found=kept.fell,
        told=_told(standing.live.version, promise, kept),
        numbers=_numbers(promise, kept),
        after_registration=newest.last_registered_sequence if newest else 0,
    )
    before = store.watches.read_watches(model_type, day - timedelta(days=CARRIED_FOR), day + timedelta(days=1))
    watch = first_found(watch, before)
    store.watches.keep_watch(watch)
    return watch


def _decisions(store: Store, until: datetime) -> pa.Table:
    """What the service decided, and what phones report that the service did not decide."""
    routes = read_both_routes(store, until - LOOK_BACK, until, columns=COLUMNS)
    return pa.concat_tables([route.select(list(COLUMNS)) for route in routes], promote_options="default")


def _promise(store: Store, places: Places, version: ModelVersion) -> Promise | None:
    """What the registry says was measured; with the interval of the lead where the version's manifest can be read."""
    metric = model_spec(version.model_type).headline.metric
    measured = [version.metrics.get(name, math.nan) for name in (metric, f"{metric}_{Rival.FORMULA}")]
    if not all(map(math.isfinite, measured)):
        return None
    network, formula = measured
    return Promise(network, formula, min(formula - network, _least_lead(store, places, version)))


def _least_lead(store: Store, places: Places, version: ModelVersion) -> float:
    try:
        _, manifest = read_version(store.versions, places.models_dir, version)
    except ModelUnavailableError:
        return math.inf
    leads: Any = manifest.evaluation.get("leads") or {}
    low = (leads.get(Rival.FORMULA) or {}).get("low")
    return math.inf if low is None else float(low)


def _told(version: str, promise: Promise, kept: Kept) -> str:
    promised = f"{version} promised a squared error {_beside(-promise.lead)} the formula's"
    if kept.excess is None or kept.since is None:
        return f"{promised}; nothing can be told yet: no agent's week since its promotion is over and matured"
    return (
        f"{promised}; it is {_beside(kept.excess)} it on the same decisions of {kept.n_agents:,} agents since "
        f"{kept.since:%Y-%m-%d}, tolerated is {_beside(kept.limit)}: "
        + ("it fell" if kept.fell else "not beyond doubt more than that")
        + f" (e {math.exp(min(kept.log_e, 50.0)):,.3g} of {math.exp(NEEDED):,.0f})"
    )


def _beside(difference: float) -> str:
    return f"{abs(difference):.4f} {'above' if difference > 0 else 'below'}"


def _numbers(promise: Promise, kept: Kept) -> dict[str, float]:
    numbers = {
        "promised_lead": promise.lead,
        "promised_mse_formula": promise.formula,
        "log_e": kept.log_e,
        "needed_log_e": NEEDED,
        "n_agents": float(kept.n_agents),
        "tolerated_excess_mse": kept.limit,
    }
    return numbers if kept.excess is None else {**numbers, "excess_mse": kept.excess}
