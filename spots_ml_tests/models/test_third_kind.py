"""One declaration is all that a further kind of model needs, from the data to a registered version."""

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import numpy as np
import pytest

from spots_ml.defs.build import build_definitions
from spots_ml.errors import ContractError
from spots_ml.features.contract import FEATURES
from spots_ml.models.declared import model_spec
from spots_ml.pipeline.chain import ChainConfig, run_chain
from spots_ml.pipeline.data_steps import Sources
from spots_ml.pipeline.model_steps import benchmark_latency
from spots_ml.pipeline.registration_step import VersionRegistered
from spots_ml.places import Places
from spots_ml.registry.phone_manifest import phone_manifest
from spots_ml.registry.serving import open_scorer
from spots_ml.registry.verification import verify_version
from spots_ml.release.certification.certify import default_runtimes
from spots_ml.release.latency.report import LatencyConfig
from spots_ml.release.onnx.predictor import OnnxPredictor
from spots_ml.settings import Settings
from spots_ml.stores.embedded.store import embedded_store
from spots_ml.training.config import TrainingConfig
from spots_ml_tests.models.third_kind import TREND, declaring
from spots_ml_tests.pipeline.chosen_data import N_ROWS, Told
from spots_ml_tests.registry.blessing import promote_blessed

NOW = datetime(2026, 11, 21, tzinfo=UTC)
STEPS = ("trained_model", "onnx_model", "latency_benchmark", "registered_version", "blessing")


@dataclasses.dataclass
class Walked:
    """Where the third kind went, and the version that came of it."""

    places: Places
    registered: VersionRegistered

    @property
    def store(self) -> Any:
        return embedded_store(self.places.database).versions


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    """Generated data, dataset, network, ONNX file, certificate, latency, version: the same steps as for every kind."""
    root = tmp_path_factory.mktemp("third")
    places = Places(root / "data", root / "artifacts")
    config = ChainConfig(
        "synthetic",
        Sources("embedded", lambda: None, synthetic_rows=N_ROWS),
        default_runtimes(Settings().client_python),
        training=TrainingConfig(max_epochs=30, n_resamples=20),
        latency=LatencyConfig(n_runs=200, n_blocks=2, throughput_s=0.001, n_cold_loads=1),
    )
    with declaring(TREND):
        result = run_chain(
            places,
            embedded_store(places.database).versions,
            config,
            [TREND.name],
            clock=lambda: NOW,
            actor="a test",
            expectations=Told(),
        )
    (outcome,) = result.models
    assert outcome.refusal is None, outcome.refusal
    return Walked(places, outcome.registered)


@pytest.mark.slow
def test_it_comes_to_a_registered_version_as_its_declaration_says(walked: Walked) -> None:
    version, manifest = walked.registered.version, walked.registered.manifest
    assert (version.model_type, version.version, version.status) == ("trend", "v1.0-synthetic", "staging")
    assert version.weight == TREND.initial_weight
    assert manifest.inputs == FEATURES
    assert manifest.confidence is None
    assert set(manifest.evaluation["predictors"]) == {"network", "constant", "ridge"}
    assert {"mae", "mae_constant", "mae_ridge"} <= set(version.metrics)
    assert [verdict.passed for verdict in manifest.verdicts] == [True] * 6
    network = json.loads((walked.places.trained_dir / manifest.digests.trained / "model.json").read_bytes())
    assert network["calibration_slope"] == 1.0
    assert walked.places.models_dir / "trend" / "v1.0-synthetic" == walked.registered.directory


@pytest.mark.slow
def test_it_can_be_checked_again_from_its_parts(walked: Walked) -> None:
    with declaring(TREND):
        runtimes = default_runtimes(Settings().client_python)
        checks = verify_version(walked.registered.version, walked.places, runtimes=runtimes)
    assert [check for check in checks if not check.passed] == []


@pytest.mark.slow
def test_its_file_has_the_declared_shape_and_answers(walked: Walked) -> None:
    content = (walked.registered.directory / "model.onnx").read_bytes()
    with declaring(TREND):
        answers = OnnxPredictor(content, "trend").predict(np.full((3, TREND.n_inputs), 0.5, np.float32))
    assert answers.shape == (3,)
    assert TREND.n_parameters == 39 * 96 + 96 + 96 * 32 + 32 + 32 * 16 + 16 + 16 + 1
    assert 4 * TREND.n_parameters < len(content) < 4 * TREND.n_parameters + 8_000


@pytest.mark.slow
def test_its_latency_is_held_against_the_declared_limit(walked: Walked) -> None:
    with declaring(TREND):
        measured = benchmark_latency(walked.places, walked.registered.manifest.digests.onnx)
    assert measured.report.config.limit_p99_us == TREND.latency_limit_us


@pytest.mark.slow
def test_it_is_promoted_and_rolled_back_like_any_but_no_decision_and_no_phone_hears_of_it(walked: Walked) -> None:
    with declaring(TREND):
        promoted = promote_blessed(walked.store, "trend", "v1.0-synthetic", now=NOW, actor="a test", reason="")
        assert promoted.status == "active"
        assert [one.model_type for one in walked.store.list_versions()] == ["trend"]
        assert sorted(open_scorer(walked.store, walked.places.models_dir).models) == ["calling_score", "outcome"]
        assert sorted(phone_manifest(walked.store, walked.places.models_dir).models) == ["calling_score", "outcome"]


def test_the_code_location_has_its_assets_job_and_sensor(tmp_path: Any) -> None:
    settings = Settings(data_dir=tmp_path / "data", artifacts_dir=tmp_path / "artifacts")
    with declaring(TREND):
        definitions = build_definitions(settings)
        dg.Definitions.validate_loadable(definitions)
    graph = definitions.resolve_asset_graph()
    keys = {key.to_user_string() for key in graph.get_all_asset_keys()}
    assert {f"trend/{step}" for step in (*STEPS, "feature_importance")} <= keys
    jobs = {job.name: {node.name for node in job.nodes} for job in definitions.resolve_all_job_defs()}
    chain = {f"trend__{step}" for step in STEPS}
    assert jobs["trend_training"] == {"raw_training_data", "validated_dataset", *chain}
    assert chain < jobs["training"]
    assert "trend__feature_importance" in jobs["feature_importance"]
    assert {sensor.name for sensor in definitions.sensors or ()} >= {"retrain_trend", "retrain_outcome"}
    scored = graph.get(dg.AssetKey("scored_opportunities")).parent_keys
    assert dg.AssetKey(["trend", "registered_version"]) not in scored


def test_it_is_gone_with_its_declaration() -> None:
    with declaring(TREND):
        assert model_spec("trend") is TREND
    with pytest.raises(ContractError, match="'trend' is unknown"):
        model_spec("trend")
