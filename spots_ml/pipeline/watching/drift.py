"""Watches whether the interactions that come in are still what the version in service learned from."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.errors import ArtifactError, ContractError
from spots_ml.features.contract import FEATURES, UNKNOWN_VALUE
from spots_ml.interactions.columns import agents_by_appearance, first_arrivals, floats, times
from spots_ml.interactions.judging.judgement import accepted, judge
from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.keeping.interaction_store import EmptyStoreError, InteractionReader
from spots_ml.interactions.learning.maturity import Maturity, mature
from spots_ml.interactions.learning.validation import load_dataset
from spots_ml.interactions.schema import DATASET
from spots_ml.models.declared import ModelType, declared_types
from spots_ml.monitoring.causes.drift import LEAST_AGENTS, Column, ColumnDrift, measure_drift, one_row_each, told_drift
from spots_ml.monitoring.causes.watches import CARRIED_FOR, Watch, first_found
from spots_ml.places import Places
from spots_ml.registry.in_service import in_service
from spots_ml.registry.records import ModelVersion
from spots_ml.stores.store import Store

MOST_AGENTS: Final = 5_000
"""On either side; more would find what is too small to matter."""
CORRECTED_WITH: Final = timedelta(days=6)
"""Days before, with whose tests a day's are corrected together."""

_DAY: Final = timedelta(days=1)
_COLUMNS: Final = "columns"


@dataclass(frozen=True)
class _Looked:
    """What of a version's drift was found on a day, or why nothing could be."""

    columns: tuple[ColumnDrift, ...]
    told: str
    n_agents: int = 0


def watch_drifts(
    store: Store, places: Places, day: date, *, now: datetime, maturity: timedelta, validation: ValidationConfig
) -> tuple[Watch, ...]:
    """Watch the drift of every model that has a version in service; see `watch_drift`.

    Args:
        store: See there.
        places: See there.
        day: See there.
        now: See there.
        maturity: See there.
        validation: See there.

    Returns:
        One per such model, in the order of their declarations.
    """
    found = [
        watch_drift(store, places, model_type, day, now=now, maturity=maturity, validation=validation)
        for model_type in declared_types()
    ]
    return tuple(one for one in found if one is not None)


def watch_drift(
    store: Store,
    places: Places,
    model_type: ModelType,
    day: date,
    *,
    now: datetime,
    maturity: timedelta,
    validation: ValidationConfig,
) -> Watch | None:
    """Hold a day's interactions against what the version in service learned from, and keep what was found.

    The history features are left out: they grow with time, so that they always differ from what was learned from.

    Args:
        store: Interactions, the registry and what was found before.
        places: Where datasets lie.
        model_type: Which model.
        day: The day (UTC). Outcomes are those of the last day before whose maturity is over.
        now: The present, with a time zone.
        maturity: How long an outcome may take.
        validation: How rows are judged.

    Returns:
        What was found, or why nothing can be told; None where no version was in service on that day.
    """
    standing = in_service(store.versions, model_type)
    start = datetime.combine(day, time(), UTC)
    until = min(now.astimezone(UTC), start + _DAY)
    if standing.live is None or standing.since_at is None or standing.since_at >= until:
        return None
    known = store.watches.read_watches(model_type, day - timedelta(days=CARRIED_FOR), day + _DAY)
    matured = datetime.combine((until - maturity).date(), time(), UTC) - _DAY
    read = _Reader(store.interactions, validation, now)
    looked = _look(
        places,
        standing.live,
        arrived=read.rows(start, until),
        outcomes=read.rows(matured, matured + _DAY),
        maturity=maturity,
        now=until,
        before=_p_values(known, standing.live.version, day),
        random=np.random.default_rng([int(standing.live.dataset_digest[:8], 16), day.toordinal()]),
    )
    newest = store.versions.newest(model_type)
    watch = Watch(
        day=day,
        model_type=model_type,
        topic="drift",
        version=standing.live.version,
        found=any(column.found for column in looked.columns),
        told=f"{standing.live.version}: {looked.told}",
        numbers={
            "n_agents": float(looked.n_agents),
            "n_columns": float(len(looked.columns)),
            "n_drifted": float(sum(column.found for column in looked.columns)),
        },
        details={_COLUMNS: [asdict(column) for column in looked.columns]},
        after_registration=newest.last_registered_sequence if newest else 0,
    )
    watch = first_found(watch, known)
    store.watches.keep_watch(watch)
    return watch


@dataclass(frozen=True)
class _Reader:
    """Reads interactions as a training would see them."""

    interactions: InteractionReader
    validation: ValidationConfig
    now: datetime

    def rows(self, since: datetime, until: datetime) -> pa.Table:
        """The good ones of a period, each once, schema `DATASET`; possibly none."""
        try:
            batches = list(self.interactions.read_interactions(since=since, until=until).batches)
        except EmptyStoreError:
            return DATASET.empty_table()
        found = judge(lambda: iter(batches), config=self.validation, now=self.now)
        good, first = [], 0
        for batch in batches:
            part = slice(first, first + batch.num_rows)
            good.append(accepted(found.merged(batch, first), found.masks[part], found.history[part]))
            first += batch.num_rows
        rows = pa.Table.from_batches(good, schema=DATASET)
        # A row of nobody may be anybody's: one file could make a crowd of them.
        return rows.filter(pc.is_valid(rows["agent_id"]))


def _look(
    places: Places,
    version: ModelVersion,
    *,
    arrived: pa.Table,
    outcomes: pa.Table,
    maturity: timedelta,
    now: datetime,
    before: Sequence[float],
    random: np.random.Generator,
) -> _Looked:
    n_agents = agents_by_appearance(arrived["agent_id"]).n
    if n_agents < LEAST_AGENTS:
        too_few = f"too few to tell a drift: {n_agents:,} agents of the day, {LEAST_AGENTS:,} needed"
        return _Looked((), too_few, n_agents)
    try:
        _, learned = load_dataset(places.datasets_dir, version.dataset_digest)
    except (ArtifactError, ContractError) as error:
        return _Looked((), f"no drift can be told, what it learned from cannot be read here: {error}", n_agents)
    rows, now_rows = _one_row_each(learned, random), _one_row_each(arrived, random)
    columns = [Column(name, _fed(rows[name]), _fed(now_rows[name])) for name in FEATURES]
    columns.append(Column("formula_score", _known(rows["formula_score"]), _known(now_rows["formula_score"])))
    columns += _outcome_columns(rows, _one_row_each(outcomes, random), maturity, now)
    found = measure_drift(columns, before, random)
    return _Looked(found, told_drift(found, n_agents=now_rows.num_rows), n_agents)


def _one_row_each(table: pa.Table, random: np.random.Generator) -> pa.Table:
    positions = one_row_each(agents_by_appearance(table["agent_id"]).code, random)
    return table.take(pa.array(random.permutation(positions)[:MOST_AGENTS]))


def _outcome_columns(learned: pa.Table, now_rows: pa.Table, maturity: timedelta, now: datetime) -> list[Column]:
    """Whether an outcome came in time, and which; what was scored last when the data were read was not mature then."""
    moments = times(learned["scored_at"])
    read_at = pc.max(learned["scored_at"]).as_py()
    sides = (
        _matured(learned, moments, read_at or now, maturity),
        _matured(now_rows, times(now_rows["scored_at"]), now, maturity),
    )
    labelled = [side.labelled[side.matured].astype(np.float64) for side in sides]
    scores = [
        floats(table["outcome_score"])[side.labelled] for table, side in zip((learned, now_rows), sides, strict=True)
    ]
    return [Column("labelled", labelled[0], labelled[1], binary=True), Column("outcome_score", scores[0], scores[1])]


def _matured(table: pa.Table, moments: np.ndarray, now: datetime, maturity: timedelta) -> Maturity:
    has_outcome = pc.is_valid(table["outcome_score"]).to_numpy()
    return mature(moments, first_arrivals(table), has_outcome, now=now, window=maturity)


def _fed(column: pa.ChunkedArray) -> np.ndarray:
    """As a model is fed: unknown is 0.5, so that a value that is no longer told is a drift, too."""
    values = floats(column)
    return np.where(np.isnan(values), UNKNOWN_VALUE, values)


def _known(column: pa.ChunkedArray) -> np.ndarray:
    known: np.ndarray = floats(column.drop_null())
    return known


def _p_values(known: Sequence[Watch], version: str, day: date) -> list[float]:
    return [
        float(column["p_value"])
        for watch in known
        if watch.topic == "drift" and watch.version == version and timedelta(0) < day - watch.day <= CORRECTED_WITH
        for column in drift_columns(watch)
    ]


def drift_columns(watch: Watch) -> list[dict[str, Any]]:
    """Tell what came of each column.

    Args:
        watch: What was found of the topic `drift`.

    Returns:
        The fields of a `ColumnDrift`, column by column; none where nothing could be told.
    """
    details: Any = watch.details
    found: list[dict[str, Any]] = details[_COLUMNS] if isinstance(details, dict) else []
    return found
