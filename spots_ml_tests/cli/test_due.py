import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from spots_ml.cli import main
from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.registry.building import make_candidate

NOW = datetime.now(UTC)


@pytest.fixture
def due(tmp_path):
    """Runs `spots-ml due` over a store and a Dagster home in a temporary folder."""
    environment = {
        "SPOTS_ML_DATA_DIR": str(tmp_path / "data"),
        "SPOTS_ML_SOURCE": "synthetic",
        "DAGSTER_HOME": str(tmp_path / "home"),
    }

    def run(*arguments):
        result = CliRunner().invoke(main, ["due", *arguments], env=environment)
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


@pytest.fixture
def store(tmp_path):
    store = embedded_store(tmp_path / "data" / "spots_ml.sqlite")
    store.interactions.import_interactions(SeedLaw().generate(1_200, seed=7), now=NOW)
    return store


def test_a_model_is_due_with_its_reason_and_source_and_waits_with_the_moment_when_it_will_be(due, store, tmp_path):
    store.versions.register(make_candidate(watermark=store.interactions.label_watermark()), now=NOW, actor="a test")
    told = {one["model_type"]: one for one in json.loads(due("--json"))}

    assert told["outcome"] == {
        "model_type": "outcome",
        "due": True,
        "reasons": ["1,200 new labels have arrived (threshold 1,000)"],
        "source": "embedded",
        "until": None,
        "message": "1,200 new labels have arrived (threshold 1,000)",
        "new_labels": 1_200,
        "registered_at": None,
        "in_flight": [],
        "failed": [],
        "corrections": 0,
        "refused": [],
        "requests": [],
        "watches": [],
    }
    waits = told["calling_score"]
    assert (waits["due"], waits["reasons"], waits["source"], waits["new_labels"]) == (False, [], None, 0)
    assert datetime.fromisoformat(waits["until"]) - datetime.fromisoformat(waits["registered_at"]) == timedelta(days=7)
    assert not (tmp_path / "home").exists()  # a question makes no home


def test_the_table_says_the_same(due, store):
    lines = due().splitlines()

    assert lines[0].split() == ["MODEL", "DUE", "WHY"]
    assert lines[2].split(maxsplit=2) == [
        "outcome",
        "now",
        "1,200 new labels have arrived (threshold 1,000); learns from: embedded",
    ]


def test_a_run_in_the_history_is_waited_for(due, store, tmp_path, monkeypatch):
    import dagster as dg

    from spots_ml.defs.history.home import open_instance

    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))

    @dg.op
    def nothing(): ...

    @dg.job(name="outcome_training")
    def training():
        nothing()

    with open_instance() as instance:
        run = instance.create_run_for_job(training, status=dg.DagsterRunStatus.STARTED)
    told = {one["model_type"]: one for one in json.loads(due("--json"))}

    assert told["outcome"]["in_flight"] == [run.run_id]
    assert not told["outcome"]["due"] and told["calling_score"]["due"]
