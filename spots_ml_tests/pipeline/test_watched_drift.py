"""What comes in on a day is held against the data of the version in service, and kept."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.source import InteractionStream
from spots_ml.pipeline.data_steps import Sources, make_dataset, take_snapshot
from spots_ml.pipeline.watching.drift import drift_columns, watch_drift, watch_drifts
from spots_ml.places import Places
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.pipeline.chosen_data import Told, export, interactions, with_outcome_scores
from spots_ml_tests.registry.blessing import promote_blessed
from spots_ml_tests.registry.building import make_candidate, make_manifest

DAY = datetime(2026, 11, 20, tzinfo=UTC)
LEARNED = datetime(2026, 9, 1, tzinfo=UTC)
MATURITY = timedelta(hours=48)
MATURED = DAY + timedelta(days=-2)
"""The last day whose outcomes are mature when DAY is over."""


def rows(n_rows, start, *, seed, agents=None, span=timedelta(hours=23)):
    """Labelled interactions of a time, of as many agents; each row looks as if it were of an agent of its own."""
    generated = interactions(12 * n_rows, seed=seed)
    _, first = np.unique(np.array(generated["agent_id"].to_pylist()), return_index=True)
    table = generated.take(pa.array(np.sort(first)[:n_rows]))
    assert table.num_rows == n_rows
    moment = table.schema.field("scored_at").type
    at = [start + span * place / n_rows for place in range(n_rows)]
    columns = {
        "agent_id": pa.array([f"agent-{seed}-{place % (agents or n_rows)}" for place in range(n_rows)]),
        "scored_at": pa.array(at, moment),
        "outcome_at": pa.array([one + timedelta(hours=5) for one in at], moment),
    }
    for name, column in columns.items():
        index = table.schema.get_field_index(name)
        table = table.set_column(index, table.schema.field(index), column)
    return table


def moved(table, name, by):
    values = pc.min_element_wise(pc.max_element_wise(pc.add(table[name], by), 0.0), 1.0)
    index = table.schema.get_field_index(name)
    return table.set_column(index, table.schema.field(index), values)


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A dataset of two months, of 1,500 agents."""
    folder = tmp_path_factory.mktemp("learned")
    places = Places(folder / "data", folder / "artifacts")
    path = export(rows(1_500, LEARNED, seed=1, span=timedelta(days=60)), folder / "export.json")
    taken = take_snapshot(places, "export", Sources("embedded", lambda: None, export_path=path))
    built = make_dataset(places, taken.digest, now=DAY, validation=ValidationConfig(), expectations=Told())
    return places, built.digest


@pytest.fixture
def store(tmp_path, learned):
    store = embedded_store(tmp_path / "store.sqlite")
    digests = make_manifest().digests.model_copy(update={"dataset": learned[1]})
    store.versions.register(make_candidate(version="v1.0-real", digests=digests), now=LEARNED, actor="a test")
    promote_blessed(store.versions, "calling_score", "v1.0-real", now=LEARNED, actor="a test", reason="")
    return store


@pytest.fixture
def watched(store, learned):
    def watch(*tables, day=DAY, places=learned[0]):
        for table in tables:
            stream = InteractionStream("real", iter(table.to_batches()), description="a test", watermark=None)
            store.interactions.import_interactions(stream, now=DAY + timedelta(days=2))
        return watch_drift(
            store,
            places,
            "calling_score",
            day.date(),
            now=day + timedelta(days=2),
            maturity=MATURITY,
            validation=ValidationConfig(),
        )

    return watch


def drifted(watch):
    return {column["name"] for column in drift_columns(watch) if column["found"]}


def test_a_day_like_those_that_were_learned_from_has_not_drifted_and_every_column_was_looked_at(watched, store):
    watch = watched(rows(300, DAY, seed=2), rows(300, MATURED, seed=3))

    assert (watch.found, watch.told) == (False, "v1.0-real: no drift in 42 columns, by 300 agents")
    assert store.watches.read_watches("calling_score", DAY.date(), DAY.date() + timedelta(days=1)) == (watch,)


def test_an_input_that_moved_is_found_with_what_is_computed_from_it(watched):
    watch = watched(moved(rows(300, DAY, seed=2), "location_proximity", 0.3), rows(300, MATURED, seed=3))

    assert drifted(watch) == {"location_proximity"}
    assert watch.found and "1 of 42 columns drifted, by 300 agents: location_proximity from " in watch.told


def test_a_value_that_is_no_longer_told_is_a_drift(watched):
    table = rows(300, DAY, seed=2)
    index = table.schema.get_field_index("user_receptivity")
    table = table.set_column(index, table.schema.field(index), pa.nulls(300, pa.float64()))

    assert drifted(watched(table)) == {"user_receptivity"}


def test_outcomes_and_their_rate_are_those_of_the_last_mature_day(watched):
    late = rows(300, MATURED, seed=3)
    half = pa.array(np.arange(300) % 2 == 0)
    for name in ("outcome_type", "outcome_score", "outcome_at"):
        index = late.schema.get_field_index(name)
        late = late.set_column(index, late.schema.field(index), pc.if_else(half, late[name], None))
    low = with_outcome_scores(late, np.where(half, late["outcome_score"].fill_null(0.0).to_numpy() * 0.5, np.nan))
    columns = {name: low[name] for name in ("outcome_type", "outcome_score")}
    for name, column in columns.items():
        index = late.schema.get_field_index(name)
        late = late.set_column(index, late.schema.field(index), pc.if_else(half, column, None))

    assert drifted(watched(rows(300, DAY, seed=2), late)) == {"labelled", "outcome_score"}


def test_one_agent_with_very_many_rows_makes_no_drift(watched):
    flood = moved(rows(900, DAY, seed=4, agents=1), "location_proximity", 0.5)

    assert not watched(rows(300, DAY, seed=2), flood).found


@pytest.mark.parametrize("agents", [1, 99])
def test_a_day_of_few_agents_tells_nothing_and_says_so(watched, agents):
    watch = watched(moved(rows(500, DAY, seed=2, agents=agents), "location_proximity", 0.5))

    assert not watch.found
    assert watch.told == f"v1.0-real: too few to tell a drift: {agents} agents of the day, 100 needed"


def test_without_the_data_that_was_learned_from_nothing_is_told_and_why(watched, tmp_path):
    watch = watched(rows(300, DAY, seed=2), places=Places(tmp_path / "elsewhere", tmp_path))

    assert not watch.found and "no drift can be told, what it learned from cannot be read here: " in watch.told


def test_a_day_that_is_measured_again_gives_the_same(watched):
    first = watched(moved(rows(300, DAY, seed=2), "location_proximity", 0.3), rows(300, MATURED, seed=3))

    assert watched() == first


def test_models_without_a_version_in_service_are_not_watched(store, learned):
    found = watch_drifts(
        store, learned[0], DAY.date(), now=DAY + timedelta(days=1), maturity=MATURITY, validation=ValidationConfig()
    )
    assert [one.model_type for one in found] == ["calling_score"]
    assert found[0].told.startswith("v1.0-real: too few to tell a drift: 0 agents")
