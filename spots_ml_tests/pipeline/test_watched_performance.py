"""The version in service is held against its promise, day by day, and what is found calls for one retraining."""

import dataclasses
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from spots_ml.monitoring.retraining import Retrain, RetrainConfig, decide
from spots_ml.monitoring.retraining_facts import RefusalFacts, retrain_state
from spots_ml.monitoring.run_history import NoRunHistory
from spots_ml.pipeline.watching.performance import watch_performance
from spots_ml.places import Places
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.monitoring.promising import START, days, decided
from spots_ml_tests.registry.blessing import promote_blessed
from spots_ml_tests.registry.building import make_candidate

FELL_ON = 21


class Logged:
    """A decision log that holds some rows."""

    def __init__(self, table):
        origin = pa.array(["served"] * table.num_rows)
        self.table = table.append_column("origin", origin)

    def read_decisions(self, since, until, *, columns=None):
        at = self.table["decided_at"].to_pylist()
        return self.table.filter(pa.array([since <= one < until for one in at]))


def promised(name="first", version="v1.0-real"):
    return make_candidate(name, version, metrics={"mse": 0.0243, "mse_formula": 0.0263})


@pytest.fixture(scope="module")
def table():
    law = {"network": lambda day: np.where(day < FELL_ON, 0.04, 0.11)}
    return decided(np.random.default_rng(5), days=60, **law)


@pytest.fixture
def store(tmp_path, table):
    store = embedded_store(tmp_path / "store.sqlite")
    store.versions.register(promised(), now=START - timedelta(days=1), actor="a test")
    promote_blessed(store.versions, "calling_score", "v1.0-real", now=START, actor="a test", reason="")
    return dataclasses.replace(store, decisions=Logged(table))


def watched(store, day, tmp_path):
    return watch_performance(
        store,
        Places(tmp_path, tmp_path),
        days(day - 1).date(),
        now=days(day) + timedelta(hours=4),
        maturity=timedelta(hours=48),
        tolerance=0.1,
    )


def decision(store, day):
    state = retrain_state(
        "calling_score",
        versions=store.versions,
        labels=store.interactions,
        runs=NoRunHistory(),
        refusals=RefusalFacts(store.refusals, None),
        requests=store.retraining_requests,
        watches=store.watches,
        sources=dataclasses.make_dataclass("Sources", ("configured", "store"))("synthetic", "embedded"),
        now=days(day) + timedelta(hours=5),
    )
    return decide(state, RetrainConfig(max_age_days=1_000))


def test_a_version_that_keeps_its_promise_calls_for_nothing(store, tmp_path):
    watch = watched(store, FELL_ON, tmp_path)

    assert not watch.found and watch.version == "v1.0-real"
    assert watch.told.startswith("v1.0-real promised a squared error 0.0020 below the formula's; it is ")
    assert watch.told.endswith("of 1,043)")
    assert "0 of 1,000 new labels" in decision(store, FELL_ON).message


def test_a_fall_calls_for_a_retraining_once_until_it_goes_away_and_comes_again(store, tmp_path):
    assert watched(store, 58, tmp_path).found
    called = decision(store, 58)
    assert isinstance(called, Retrain)
    assert called.message.startswith("its performance fell: v1.0-real promised")
    assert decision(store, 80).message.startswith("0 of 1,000")  # nobody watched for so long

    # Trained, and registered; the champion is the same and has not recovered.
    store.versions.register(promised("second", "v1.1-real"), now=days(58), actor="a test")
    assert watched(store, 59, tmp_path).found
    assert not isinstance(decision(store, 59), Retrain)


def test_nothing_is_watched_without_a_version_in_service_on_that_day_or_without_a_promise(store, tmp_path):
    assert watched(store, 0, tmp_path) is None
    second = make_candidate("second", "v1.1-real", metrics={"mse": 0.02})
    store.versions.register(second, now=START, actor="a test")
    promote_blessed(store.versions, "calling_score", "v1.1-real", now=days(1), actor="a test", reason="")
    assert watched(store, 30, tmp_path) is None
    store.versions.withdraw("calling_score", now=days(2), actor="a test", reason="")
    assert watched(store, 30, tmp_path) is None
