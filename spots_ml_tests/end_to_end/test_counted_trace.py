"""How many modules a person reads who follows one interaction, or one request, all the way. The counts are printed."""

import json
from datetime import UTC, datetime

import pytest

from spots_ml.pipeline.chain import ChainConfig, run_chain
from spots_ml.pipeline.data_steps import Sources
from spots_ml.places import Places
from spots_ml.registry.serving import open_scorer
from spots_ml.release.certification.certify import default_runtimes
from spots_ml.release.latency.report import LatencyConfig
from spots_ml.requests.reading import read_requests
from spots_ml.scoring.answering.answers import answer_requests, decisions_of
from spots_ml.settings import Settings
from spots_ml.stores.embedded.store import embedded_store
from spots_ml.training.config import TrainingConfig
from spots_ml_tests.end_to_end.counted_trace import modules_on_the_way
from spots_ml_tests.pipeline.chosen_data import N_ROWS, Told, export, interactions
from spots_ml_tests.registry.blessing import promote_blessed

NOW = datetime(2026, 11, 21, tzinfo=UTC)
MOST_TO_A_VERSION, MOST_TO_A_DECISION = 84, 32

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("traced")
    places = Places(folder / "data", folder / "artifacts")
    rows = interactions(N_ROWS)
    config = ChainConfig(
        "export",
        Sources("embedded", lambda: None, export_path=export(rows, folder / "export.json")),
        default_runtimes(Settings().client_python),
        training=TrainingConfig(max_epochs=30, n_resamples=20),
        latency=LatencyConfig(n_runs=200, n_blocks=2, throughput_s=0.001, n_cold_loads=1),
    )
    store = embedded_store(places.database)
    with modules_on_the_way() as found:
        result = run_chain(
            places, store.versions, config, ("calling_score",), clock=lambda: NOW, actor="a test", expectations=Told()
        )
    registered = result.models[0].registered
    assert registered, result.models[0].refusal
    promote_blessed(store.versions, "calling_score", registered.version.version, now=NOW, actor="a test", reason="")
    (record,) = json.loads(export(rows.slice(0, 1), folder / "one.json").read_bytes())["training_data"]
    request = folder / "request.jsonl"
    request.write_text(json.dumps(record) + "\n")
    return places, store, request, found


def told(what, found):
    print(f"\n{what}: {len(found)} modules\n  {' '.join(sorted(found))}")
    return len(found)


def test_an_interaction_goes_from_the_export_to_the_registry_through_few_modules(world):
    *_, found = world
    assert told("from an export to a row of the registry", found) <= MOST_TO_A_VERSION


def test_a_request_goes_to_its_row_in_the_decision_log_through_few_modules(world):
    places, store, request, _ = world
    scorer = open_scorer(store.versions, places.models_dir)
    with modules_on_the_way() as found:
        for answers in answer_requests(read_requests(request, format="jsonl"), scorer, now=NOW, history=store.history):
            logged = store.decisions.log_decisions([decisions_of(answers, now=NOW)], now=NOW)
    assert logged.n_new == 1
    assert told("from a request to its row in the decision log", found) <= MOST_TO_A_DECISION
