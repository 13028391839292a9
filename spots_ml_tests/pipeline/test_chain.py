"""The chain of a model without an orchestrator: what it makes, and what every gate refuses."""

import dataclasses
import shutil
import threading

import numpy as np
import pytest

from spots_ml.errors import ArtifactError, GateError, InsufficientDataError
from spots_ml.pipeline.before_traffic.promotion_step import promotion_effect
from spots_ml.pipeline.model_steps import benchmark_latency, export_model, train
from spots_ml.registry.serving import open_scorer
from spots_ml.scoring.inputs import ScoringInputs
from spots_ml_tests.pipeline.chosen_data import derived_features, export, interactions, misleading
from spots_ml_tests.pipeline.world import LATENCY, QUICK, RUNTIMES, World
from spots_ml_tests.registry.blessing import promote_blessed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The whole chain, once, and what came out of it."""
    folder = tmp_path_factory.mktemp("finished") / "world"
    world = World.at(folder)
    return world, world.run()


@pytest.fixture
def world(finished, tmp_path):
    """A copy of the finished chain to go on from."""
    shutil.copytree(finished[0].places.data_dir.parent, tmp_path / "copy")
    return World.at(tmp_path / "copy")


def test_a_chain_ends_with_a_registered_version(finished):
    world, result = finished
    (outcome,) = result.models
    assert outcome.refusal is None
    (version,) = world.store.list_versions()
    assert (version.version, version.status, version.weight) == ("v1.0-synthetic", "staging", 0.1)
    assert version == outcome.registered.version and outcome.registered.created
    assert {verdict.gate for verdict in outcome.registered.manifest.verdicts} == {
        "valid_dataset",
        "beats_baselines",
        "certified",
        "latency",
        "decision_effect",
        "not_worse_than_champion",
    }
    assert sorted(path.name for path in outcome.registered.directory.iterdir()) == ["manifest.json", "model.onnx"]


def test_a_platform_with_both_models_calls_about_as_many_as_the_formula(tmp_path):
    """With the filter on it called none of 3,000 generated requests, and every gate was green."""
    world = World.at(tmp_path)
    result = world.run("calling_score", "outcome")
    manifests = {one.model_type: one.registered.manifest for one in result.models}
    assert not manifests["outcome"].filter_on
    assert "switched off" in manifests["outcome"].verdict("decision_effect").message
    for model_type, manifest in manifests.items():
        told = promotion_effect(world.places, world.store, model_type, manifest.version)
        assert "of the decisions differ" in told
        promote_blessed(world.store, model_type, manifest.version, now=world.clock(), actor="a test", reason="")
    features = derived_features(3_000, seed=99)
    inputs = ScoringInputs(features, np.full((3_000, 6), 0.5, np.float32), np.ones(3_000, bool))
    scores = open_scorer(world.store, world.places.models_dir).score(inputs)
    formula = np.mean(scores.formula.score >= 0.7)
    assert not scores.fell_back.any()
    assert not scores.blocked.any()
    assert formula == pytest.approx(0.178, abs=0.02)
    assert 0.5 * formula < scores.called.mean() < 2 * formula
    with pytest.raises(GateError, match="cannot be measured here"):
        shutil.rmtree(world.places.trained_dir)
        promotion_effect(world.places, world.store, "outcome", manifests["outcome"].version)


def test_the_manifest_says_how_much_the_version_may_weigh(finished):
    (outcome,) = finished[1].models
    assert outcome.registered.manifest.confidence is not None
    assert outcome.registered.manifest.confidence == outcome.trained.model.document.confidence


def test_every_step_says_what_it_built_on(finished):
    result = finished[1]
    (outcome,) = result.models
    assert result.dataset.report.snapshot_digest == result.snapshot.digest
    assert outcome.trained.model.document.dataset_digest == result.dataset.digest
    assert outcome.exported.trained_digest == outcome.trained.digest
    assert outcome.measured.onnx_digest == outcome.exported.digest


def test_the_same_inputs_give_the_same_version_and_another_seed_the_next(finished, world):
    result, before = world.run(), finished[1]
    (again,), (first,) = result.models, before.models
    assert (result.snapshot.digest, result.dataset.digest) == (before.snapshot.digest, before.dataset.digest)
    assert (again.trained.digest, again.exported.digest) == (first.trained.digest, first.exported.digest)
    assert (again.registered.version.version, again.registered.created) == ("v1.0-synthetic", False)
    (other,) = world.run(seed=1).models
    assert (other.registered.version.version, other.registered.created) == ("v1.1-synthetic", True)
    assert [entry.action for entry in world.store.history()] == ["registered", "reaffirmed", "registered"]


def test_a_source_with_too_few_labels_makes_no_model(tmp_path):
    path = export(interactions(999), tmp_path / "export.json")
    world = World.at(tmp_path, "export", export_path=path)
    with pytest.raises(InsufficientDataError, match="1 missing"):
        world.run()
    assert not world.places.trained_dir.exists()


@pytest.fixture(scope="module")
def misled(tmp_path_factory):
    """A chain that learned from outcomes that turned into their opposite, up to the gate that stopped it."""
    folder = tmp_path_factory.mktemp("misled")
    world = World.at(folder, "export", export_path=export(misleading(4_000), folder / "export.json"))
    return world, world.run().models[0]


def test_a_model_that_is_worse_than_the_constant_goes_no_further_and_the_numbers_are_told(misled):
    _, outcome = misled
    assert outcome.refusal.startswith("gate 'beats_baselines' failed: ")
    network, constant = (outcome.trained.verdict.measured[f"mse_{name}"] for name in ("network", "constant"))
    assert network > constant
    assert f"{network:.5f} against constant {constant:.5f} (fails)" in outcome.refusal
    assert (outcome.exported, outcome.measured, outcome.registered) == (None, None, None)


def test_the_registry_refuses_a_model_whose_later_steps_were_run_all_the_same(misled):
    world, outcome = misled
    exported = export_model(world.places, world.store, outcome.trained.digest, runtimes=RUNTIMES)
    measured = benchmark_latency(world.places, exported.digest, LATENCY)
    with pytest.raises(GateError) as refused:
        world.register(dataclasses.replace(outcome, exported=exported, measured=measured))
    sentence = str(refused.value)
    assert sentence.startswith("calling_score v1.0-real is not registered: gate 'beats_baselines' failed: ")
    assert "mse_network 0." in sentence and "mse_limit_constant 0." in sentence
    assert world.store.list_versions() == ()
    assert not (world.places.models_dir / "calling_score").exists()


def test_a_file_that_no_client_runtime_has_run_is_not_certified_and_not_registered(world):
    (outcome,) = world.run(seed=1, runtimes={"current": RUNTIMES["current"]}).models
    assert outcome.refusal.startswith("gate 'certified' failed: ")
    assert outcome.trained.verdict.passed and not outcome.exported.verdict.passed
    assert (outcome.measured, outcome.registered) == (None, None)


def test_a_model_that_is_too_slow_is_told_with_its_latency_and_not_registered(world):
    limit = LATENCY.model_copy(update={"limit_p99_us": 0.001})
    (outcome,) = world.run(latency=limit).models
    assert outcome.refusal.startswith("gate 'latency' failed: one row takes ")
    with pytest.raises(GateError, match="gate 'latency' failed"):
        world.register(outcome)


def test_a_dataset_without_a_verdict_registers_nothing(finished, world):
    result = finished[1]
    (world.places.datasets_dir / result.dataset.digest / "verdict.json").unlink()
    with pytest.raises(GateError, match=r"has no readable verdict .* materialise validated_dataset again"):
        world.register(result.models[0])


def test_the_latency_of_another_file_is_refused(finished, world):
    (outcome,), (other,) = finished[1].models, world.run(seed=1).models
    with pytest.raises(ArtifactError, match="materialise latency_benchmark again"):
        world.register(outcome, latency=other.measured.digest)


def test_the_file_of_another_model_is_refused_with_its_own_latency_and_certificate(finished, world):
    (outcome,), (other,) = finished[1].models, world.run(seed=1).models
    mixed = dataclasses.replace(outcome, exported=other.exported, measured=other.measured)
    versions = world.store.list_versions()
    with pytest.raises(ArtifactError, match="materialise onnx_model again"):
        world.register(mixed)
    assert world.store.list_versions() == versions


def test_a_model_that_is_being_trained_elsewhere_is_waited_for_and_then_found(finished, world):
    digest, quick = finished[1].dataset.digest, QUICK.model_copy(update={"max_epochs": 1})
    trained = []

    def train_it():
        trained.append(train(world.places, digest, "calling_score", quick, seed=0))

    threads = [threading.Thread(target=train_it) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert sorted(one.made_already for one in trained) == [False, True]
    assert trained[0].digest == trained[1].digest


def test_a_second_run_finds_everything_made_and_gives_the_same_version(finished, world):
    (first,), (again,) = finished[1].models, world.run().models

    assert all(step.made_already for step in (again.trained, again.exported, again.measured))
    assert (again.registered.version.version, again.registered.created) == (first.registered.version.version, False)
    assert again.trained.digest == first.trained.digest


@pytest.mark.parametrize(
    "changes", [{"seed": 1}, {"config": QUICK.model_copy(update={"max_epochs": 2})}, {"anew": True}]
)
def test_another_seed_other_settings_or_a_wish_train_anew(finished, world, changes):
    values = {"config": QUICK, "seed": 0} | changes
    again = train(world.places, finished[1].dataset.digest, "calling_score", values.pop("config"), **values)

    assert not again.made_already
    assert (again.digest == finished[1].models[0].trained.digest) == ("anew" in changes)


def test_damaged_artifacts_are_made_again(finished, world):
    model = finished[1].models[0]
    for damaged in (
        world.places.trained_dir / model.trained.digest,
        world.places.onnx_dir / model.exported.digest,
        world.places.benchmarks_dir / model.measured.digest,
    ):
        shutil.rmtree(damaged)
    (again,) = world.run().models

    assert not any(step.made_already for step in (again.trained, again.exported, again.measured))
    assert (again.trained.digest, again.exported.digest) == (model.trained.digest, model.exported.digest)


def test_a_file_is_certified_again_when_other_packages_are_installed_beside_a_runtime(finished, world, monkeypatch):
    monkeypatch.setattr("spots_ml.pipeline.model_steps.installed", lambda python: ["onnxruntime-9.9"])
    digest = finished[1].models[0].trained.digest

    assert not export_model(world.places, world.store, digest, runtimes=RUNTIMES).made_already
    assert export_model(world.places, world.store, digest, runtimes=RUNTIMES).made_already


def test_one_model_that_is_refused_does_not_keep_the_next_from_being_registered(world, monkeypatch):
    def refusing(places, dataset_digest, model_type, *arguments, **named):
        if model_type == "outcome":
            raise InsufficientDataError("every outcome is positive")
        return train(places, dataset_digest, model_type, *arguments, **named)

    monkeypatch.setattr("spots_ml.pipeline.chain.train", refusing)
    outcome, calling_score = world.run("outcome", "calling_score").models
    assert outcome.refusal == "every outcome is positive" and outcome.trained is None
    assert calling_score.refusal is None and calling_score.registered is not None
