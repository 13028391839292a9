"""The chain of one model, run for real: what it makes, what it refuses, and in which words."""

import dataclasses

import dagster as dg
import pytest

from spots_ml.training.model import load_trained_model
from spots_ml_tests.defs.chain import Chain
from spots_ml_tests.pipeline.chosen_data import Told, export, interactions, misleading
from spots_ml_tests.registry.blessing import bless

DATA = ("raw_training_data", "validated_dataset")
QUICK = "max_epochs: 30\nn_resamples: 20\n"
STEPS = ("trained_model", "onnx_model", "latency_benchmark", "registered_version", "blessing")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("error:::spots_ml")]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The whole chain, once, and what came out of it."""
    folder = tmp_path_factory.mktemp("chain")
    (folder / "quick.yaml").write_text(QUICK)
    chain = Chain(folder / "first", {"profile": folder / "quick.yaml"})
    return chain, chain.run()


@pytest.fixture
def chain(finished, tmp_path):
    """A copy of the finished chain to go on from."""
    return finished[0].copy(tmp_path / "copy")


def fresh(tmp_path, **options):
    return Chain(tmp_path / "chain", options)


def exported(table, folder):
    """Settings that make an export of these interactions the source."""
    return {"source": "export", "export_path": export(table, folder / "export.json")}


def model_of(chain, outcome):
    """What is written beside the weights of the model that a run trained."""
    return load_trained_model(
        chain.platform.places.trained_dir, outcome.digests["calling_score/trained_model"]
    ).document


def test_the_chain_ends_with_a_registered_version(finished):
    chain, outcome = finished
    assert outcome.result.success
    assert set(outcome.metadata) == {*DATA, *(f"calling_score/{step}" for step in STEPS)}
    registered = outcome.metadata["calling_score/registered_version"]
    assert (registered["version"], registered["created"]) == ("v1.0-synthetic", True)
    (version,) = chain.platform.store().versions.list_versions()
    assert (version.version, version.status, version.weight) == ("v1.0-synthetic", "staging", 0.1)
    directory = chain.platform.places.models_dir / "calling_score" / "v1.0-synthetic"
    assert sorted(path.name for path in directory.iterdir()) == ["manifest.json", "model.onnx"]


def test_every_check_of_the_chain_was_evaluated_and_passed(finished):
    evaluated = {
        (check.asset_key.to_user_string(), check.check_name): check.passed
        for check in finished[1].result.get_asset_check_evaluations()
    }
    assert evaluated == {
        ("validated_dataset", "enough_labels"): True,
        ("validated_dataset", "expectations"): True,
        ("calling_score/trained_model", "beats_baselines"): True,
        ("calling_score/onnx_model", "certified"): True,
        ("calling_score/latency_benchmark", "latency"): True,
    }


def test_every_asset_leaves_something_to_look_at(finished):
    looked_for = {
        "raw_training_data": {"dagster/row_count", "source_description", "path", "columns"},
        "validated_dataset": {"dagster/row_count", "quarantine_reasons", "data_docs", "columns"},
        "calling_score/trained_model": {"comparison", "loss_curves", "calibration_plot", "predicted_against_observed"},
        "calling_score/onnx_model": {"runtimes", "max_abs_difference_to_torch", "path"},
        "calling_score/latency_benchmark": {"p50_us", "p95_us", "p99_us", "latency_plot", "method", "throughput"},
        "calling_score/registered_version": {"version", "status_when_registered", "verdicts", "path", "manifest"},
        "calling_score/blessing": {"version", "blessed", "beside", "found", "comparisons", "slices", "rows", "agents"},
    }
    missing = {asset: names - set(finished[1].metadata[asset]) for asset, names in looked_for.items()}
    assert not any(missing.values()), missing


def test_a_version_that_is_registered_is_blessed_and_may_be_promoted_then(finished, chain):
    told = finished[1].metadata["calling_score/blessing"]
    assert (told["version"], told["blessed"], told["beside"]) == ("v1.0-synthetic", True, "the formula")
    versions = chain.platform.store().versions
    promoted = versions.promote("calling_score", "v1.0-synthetic", now=chain.platform.now(), actor="a", reason="")
    assert promoted.status == "active"

    again = chain.run("blessing").metadata["calling_score/blessing"]
    assert "v1.0-synthetic is active" in again["found"].replace("\n", " ").replace("  ", " ")


def test_a_blessing_that_is_a_no_is_shown_and_fails_no_run(chain):
    places = chain.platform.places
    (trained,) = places.trained_dir.iterdir()
    trained.rename(places.trained_dir / "away")
    (places.models_dir / "calling_score" / "v1.0-synthetic" / "model.onnx").write_bytes(b"broken")
    versions = chain.platform.store().versions
    bless(versions, "calling_score", "v1.0-synthetic", passed=False)

    outcome = chain.run("blessing")
    assert outcome.result.success
    assert outcome.metadata["calling_score/blessing"]["blessed"] is False


def test_a_step_launched_alone_uses_its_options_and_the_next_builds_on_what_it_made(finished, chain):
    options = {"learning_rate": 0.02, "seed": 5}
    alone = chain.run("trained_model", config={"calling_score__trained_model": options})
    document = model_of(chain, alone)
    assert (document.config.learning_rate, document.seed) == (0.02, 5)

    trained = alone.digests["calling_score/trained_model"]
    assert trained != finished[1].digests["calling_score/trained_model"]
    assert chain.run("onnx_model").metadata["calling_score/onnx_model"]["trained_digest"] == trained


@pytest.mark.parametrize(
    ("step", "upstream"),
    [
        ("validated_dataset", "raw_training_data"),
        ("trained_model", "validated_dataset"),
        ("onnx_model", "calling_score/trained_model"),
        ("latency_benchmark", "calling_score/onnx_model"),
        ("registered_version", "calling_score/onnx_model"),
    ],
)
def test_a_step_whose_upstream_was_never_materialised_says_so(tmp_path, step, upstream):
    (sentence,) = fresh(tmp_path).run(step).failures.values()
    assert sentence == (
        f"{upstream} was never materialised in this Dagster instance, but this step builds on it; "
        "materialise it first, or launch the whole job"
    )


def test_an_export_that_is_none_ends_the_run_with_one_sentence_and_nothing_is_made(tmp_path):
    path = tmp_path / "export.json"
    path.write_text('{"training_data": [{"user_vibe_dim')
    outcome = fresh(tmp_path, source="export", export_path=path).run()
    assert list(outcome.failures) == ["raw_training_data"]
    assert str(path) in outcome.failures["raw_training_data"]
    assert "\n" not in outcome.failures["raw_training_data"]
    assert outcome.metadata == {}


def test_too_few_labels_stop_the_run_and_the_check_says_how_many_are_missing(tmp_path):
    outcome = fresh(tmp_path, **exported(interactions(999), tmp_path)).run()
    sentence = outcome.failures["validated_dataset"]
    assert "999 labelled interactions, at least 1,000 are needed (1 missing)" in sentence
    assert outcome.failed_checks == {"validated_dataset: enough_labels": sentence}
    assert list(outcome.metadata) == ["raw_training_data"]


def test_a_refused_dataset_does_not_take_the_place_of_the_good_one(finished, chain, tmp_path):
    refused = chain.copy(tmp_path / "refused", **exported(interactions(999), tmp_path))
    assert refused.run(*DATA).failures
    trained = model_of(refused, refused.run("trained_model"))
    assert trained.dataset_digest == finished[1].digests["validated_dataset"]


def test_a_broken_expectation_stops_the_run_and_its_check_tells_which(tmp_path):
    chain = Chain(tmp_path / "chain", {"synthetic_rows": 1_200}, expectations=Told("agent_energy"))
    outcome = chain.run()
    sentence = outcome.failures["validated_dataset"]
    assert "1 of 2 expectations on the accepted rows do not hold" in sentence and "agent_energy" in sentence
    assert outcome.failed_checks == {"validated_dataset: expectations": sentence}
    assert list(outcome.metadata) == ["raw_training_data"]

    later = chain.run(*STEPS)
    assert "validated_dataset was never materialised" in later.failures["calling_score/trained_model"]


def test_a_model_that_fails_its_gate_blocks_the_steps_after_it_and_the_registry_refuses_it_alone(tmp_path):
    data = export(misleading(4_000), tmp_path / "export.json")
    chain = Chain(tmp_path / "chain", {"source": "export", "export_path": data})
    outcome = chain.run()
    (check,) = outcome.failed_checks.values()
    measured = outcome.result.get_asset_check_evaluations()[-1].metadata
    network, constant = (measured[f"measured/mse_{name}"].value for name in ("network", "constant"))
    assert network > constant
    assert f"{network:.5f} against constant {constant:.5f} (fails)" in check
    assert set(outcome.metadata) == {*DATA, "calling_score/trained_model"}

    later = chain.run("onnx_model", "latency_benchmark", "registered_version")
    ((step, sentence),) = later.failures.items()
    assert step == "calling_score/registered_version"
    assert sentence.startswith("calling_score v1.0-real is not registered: gate 'beats_baselines' failed: ")
    assert chain.platform.store().versions.list_versions() == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", -1.0),
        ("seed", -1),
        ("seed", 2**40),
    ],
)
def test_a_wrong_hyper_parameter_is_refused_with_a_sentence_that_names_it(chain, name, value):
    outcome = chain.run("trained_model", config={"calling_score__trained_model": {name: value}})
    sentence = outcome.failures["calling_score/trained_model"]
    assert f"{name} is {value}" in sentence
    assert outcome.metadata == {}


def test_an_unknown_source_is_refused_before_the_run_starts(tmp_path):
    with pytest.raises(dg.DagsterInvalidConfigError, match="not in enum type SourceName") as refusal:
        fresh(tmp_path).run("raw_training_data", config={"raw_training_data": {"source": "telepathy"}})
    assert "telepathy" in str(refusal.value)


def test_settings_are_no_part_of_a_runs_configuration(finished):
    chain, outcome = finished
    assert str(dataclasses.asdict(chain.settings)["data_dir"]) not in str(outcome.result.dagster_run.run_config)
