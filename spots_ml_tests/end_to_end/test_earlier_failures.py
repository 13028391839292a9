"""What went wrong in the earlier implementation, one test per failure, on versions that the real chain registered.

The chain runs on the seed export where it is laid out, on as many generated interactions elsewhere. How single files
that fail certification are found out is in `spots_ml_tests/release/test_earlier_failures.py`. Failures 11 and 12 are of
Supabase: `spots_ml_tests/stores/supabase/test_interactions.py` and `test_supabase_backend.py`.
"""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import pytest

from spots_ml.digests import digest_bytes
from spots_ml.errors import GateError
from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.interactions.keeping.snapshot import write_snapshot
from spots_ml.interactions.learning.dataset import LabelledRows, labelled_rows
from spots_ml.interactions.learning.splits import PURGED, TEST, TRAIN, VALIDATION, split_rows
from spots_ml.interactions.learning.validation import build_dataset, load_dataset
from spots_ml.models.declared import declared_types, model_spec
from spots_ml.registry.registration import register_version
from spots_ml.settings import Settings
from spots_ml.stores.embedded.store import embedded_store
from spots_ml.training.model import train_model
from spots_ml_tests.end_to_end.registered import (
    Registered,
    answer_in_the_app,
    interactions_of_agents,
    registered,
    run_chain,
    seed_export,
)
from spots_ml_tests.end_to_end.sandbox import PROFILE
from spots_ml_tests.registry.blessing import promote_blessed
from spots_ml_tests.registry.building import hours, make_manifest, onnx_bytes

NOW = datetime(2030, 1, 1, tzinfo=UTC)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Places in which the main job ran to its end."""
    root = tmp_path_factory.mktemp("chain")
    outcome, settings = run_chain(root, source="export", export_path=seed_export(root))
    assert [model.created for model in outcome.models] == [True, True], outcome.problems
    return settings


@pytest.fixture(scope="module", params=declared_types())
def version(request: pytest.FixtureRequest, chain: Settings) -> Registered:
    """Either model."""
    return registered(chain, request.param)


@pytest.fixture(scope="module")
def calling_score(chain: Settings) -> Registered:
    return registered(chain, "calling_score")


def test_failure_1_the_registered_file_is_better_than_constant_and_formula_on_rows_it_never_saw(
    version: Registered,
) -> None:
    inputs, targets = version.part(TEST)
    answers = np.array(answer_in_the_app(version.onnx, inputs)["all"])
    constant = np.full(len(targets), version.part(TRAIN)[1].mean(dtype=np.float64))

    error = np.mean((answers - targets) ** 2)
    assert error < np.mean((constant - targets) ** 2)
    if version.manifest.model_type == "calling_score":
        formula = version.rows.take(version.split == TEST).formula_score
        assert error < np.mean((formula - targets) ** 2)
        assert error == pytest.approx(version.manifest.metrics["mse"], abs=1e-6)
    else:
        assert error == pytest.approx(version.manifest.metrics["brier"], abs=1e-6)


def test_failure_1_a_network_that_learned_nothing_is_refused_with_the_numbers(tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text("max_epochs: 1\nlearning_rate: 1.0e-9\n")

    outcome, settings = run_chain(tmp_path, ("calling_score",), synthetic_rows=2_000, profile=profile)

    assert [model.version for model in outcome.models] == [None]
    assert any("test mse" in problem and "(fails)" in problem for problem in outcome.problems)
    assert embedded_store(settings.places.database).versions.list_versions() == ()


def test_failure_2_the_file_takes_the_raw_values_that_the_app_feeds(version: Registered) -> None:
    inputs, _ = version.part(TEST)

    answers = answer_in_the_app(version.onnx, inputs)["all"]

    np.testing.assert_allclose(answers, version.model.predict(inputs), rtol=0, atol=1e-6)
    shift, scale = version.model.network.shift.numpy(), version.model.network.scale.numpy()
    used = scale != 0
    assert np.abs(inputs[:, used].mean(axis=0) - shift[used]).max() < 0.1
    assert scale[used].min() > 1.5


def test_failure_3_a_version_is_one_file_that_loads_from_its_bytes_alone(version: Registered) -> None:
    assert sorted(path.name for path in version.directory.iterdir()) == ["manifest.json", "model.onnx"]
    assert not any(tensor.external_data for tensor in onnx.load_from_string(version.onnx).graph.initializer)
    assert len(version.onnx) > 4 * 13_441
    assert digest_bytes(version.onnx) == version.manifest.digests.onnx
    rows = np.full((3, model_spec(version.manifest.model_type).n_inputs), 0.5, np.float32)
    assert len(answer_in_the_app(version.onnx, rows)["all"]) == 3


def test_failure_4_the_file_is_of_an_ir_version_and_opset_that_the_app_takes(version: Registered) -> None:
    model = onnx.load_from_string(version.onnx)

    assert model.ir_version <= 9
    assert [(opset.domain, opset.version <= 18) for opset in model.opset_import] == [("", True)]


def test_failure_5_a_batch_of_one_is_one_row_of_one_value(version: Registered) -> None:
    inputs, _ = version.part(TEST)

    answer = answer_in_the_app(version.onnx, inputs[:2])

    assert np.shape(answer["one"]) == (1, 1)
    assert answer["one"][0][0] == pytest.approx(answer["all"][0], abs=1e-7)


def test_failure_6_what_the_app_cannot_be_shown_to_run_is_not_registered(tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text(PROFILE)

    outcome, settings = run_chain(
        tmp_path, ("calling_score",), synthetic_rows=4_000, profile=profile, client_python=tmp_path / "no-such-python"
    )

    assert [model.version for model in outcome.models] == [None]
    [told] = [problem for problem in outcome.problems if "not certified" in problem]
    assert "no-such-python" in told and "make setup" in told
    assert not (settings.places.models_dir).exists()
    assert embedded_store(settings.places.database).versions.list_versions() == ()


@pytest.mark.parametrize("gate", ["beats_baselines", "certified", "latency", "valid_dataset"])
def test_failure_6_the_registry_refuses_without_each_verdict_whatever_started_it(
    calling_score: Registered, tmp_path: Path, gate: str
) -> None:
    manifest = calling_score.manifest
    said_no = tuple(
        verdict.model_copy(update={"passed": verdict.gate != gate and verdict.passed}) for verdict in manifest.verdicts
    )
    unsaid = tuple(verdict for verdict in manifest.verdicts if verdict.gate != gate)
    store = embedded_store(tmp_path / "registry.sqlite").versions

    assert len(unsaid) == len(manifest.verdicts) - 1
    for verdicts in (said_no, unsaid):
        with pytest.raises(GateError, match=gate):
            register_version(
                store,
                tmp_path / "models",
                onnx=calling_score.onnx,
                manifest=manifest.model_copy(update={"verdicts": verdicts}),
                now=NOW,
                actor="test",
            )
    assert store.list_versions() == ()
    assert not (tmp_path / "models").exists()


def test_failure_7_the_derived_slots_are_what_the_app_computes_and_the_network_uses_them(
    calling_score: Registered,
) -> None:
    records = json.loads(gzip.decompress(calling_score.export.read_bytes()))["training_data"]
    columns = {
        31: lambda a, o: 1 - abs(a["overall_energy"] - o["overall_energy"]),
        32: lambda a, o: 1 - abs(a["community_orientation"] - o["community_orientation"]),
        33: lambda a, o: 1 - abs(a["novelty_seeking"] - o["novelty_seeking"]),
    }
    features = calling_score.rows.features

    assert len(features) == len(records)
    for row in range(0, len(records), 97):
        sides = records[row]["user_vibe_dimensions"], records[row]["spot_vibe_dimensions"]
        for slot, match in columns.items():
            assert features[row, slot] == pytest.approx(match(*sides), abs=1e-6)
    np.testing.assert_allclose(features[:, 38], features[:, 34:38].mean(axis=1), atol=1e-6)
    assert features[:, [30, 31, 32, 33, 38]].std(axis=0).min() > 0.03
    derived = {"vibe_compatibility", "energy_match", "community_match", "novelty_match", "timing_alignment"}
    assert derived.isdisjoint(calling_score.manifest.ignored_inputs)


def test_failure_8_the_weights_are_those_of_the_best_epoch(calling_score: Registered) -> None:
    document = calling_score.model.document
    is_train = calling_score.split == TRAIN
    few = np.where(is_train & (np.cumsum(is_train) > 300), PURGED, calling_score.split)
    too_long = document.config.changed(
        {"max_epochs": 40, "patience": 40, "known_unit_penalty": 0.0, "free_unit_penalty": 0.0, "first_layer_rate": 1.0}
    )
    overtrained = train_model(
        calling_score.rows,
        few,
        "calling_score",
        too_long,
        seed=1,
        dataset_digest=document.dataset_digest,
        kind=document.kind,
    )
    inputs, targets = calling_score.part(VALIDATION)

    for model in (calling_score.model, overtrained):
        errors = [epoch.validation_error for epoch in model.document.history]
        assert model.document.best_epoch == int(np.argmin(errors))
        found = np.mean((model.predict(inputs).astype(np.float64) - targets) ** 2)
        assert found == pytest.approx(min(errors), rel=1e-5)
    assert errors[-1] > 1.02 * min(errors)


def test_failure_8_another_seed_is_another_network_and_every_number_has_an_interval(
    calling_score: Registered,
) -> None:
    document = calling_score.model.document

    def weights(seed: int) -> str:
        config = document.config.model_copy(update={"max_epochs": 2})
        return train_model(
            calling_score.rows,
            calling_score.split,
            "calling_score",
            config,
            seed=seed,
            dataset_digest=document.dataset_digest,
            kind=document.kind,
        ).document.weights_digest

    assert weights(1) == weights(1)
    assert weights(1) != weights(2)
    for metrics in document.evaluation.predictors.values():
        estimate = metrics["mse"]
        assert estimate.low is not None and estimate.value is not None and estimate.high is not None
        assert estimate.low < estimate.value < estimate.high


@pytest.fixture(scope="module")
def rows_of_agents(tmp_path_factory: pytest.TempPathFactory) -> LabelledRows:
    """Rows of agents who have many each: the hybrid export where it is laid out."""
    root = tmp_path_factory.mktemp("agents")
    snapshot = write_snapshot(interactions_of_agents(), root / "snapshots")
    report = build_dataset(root / "snapshots", snapshot.digest, root / "datasets", now=NOW)
    return labelled_rows(load_dataset(root / "datasets", report.digest)[1])


def test_failure_9_no_agent_is_on_two_sides_of_the_split(rows_of_agents: LabelledRows) -> None:
    split = split_rows(rows_of_agents.agent, rows_of_agents.scored_at, seed=0)
    sides = [set(rows_of_agents.agent[split == part]) for part in (TRAIN, VALIDATION, TEST)]

    assert len(set(rows_of_agents.agent)) < rows_of_agents.n_rows / 5
    assert all(len(side) > 1 for side in sides)
    assert sum(map(len, sides)) == len(set.union(*sides))


def test_failure_9_the_chain_splits_like_that(version: Registered) -> None:
    assert digest_bytes(version.split.astype(np.int8).tobytes()) == version.model.document.split_digest
    assert set(version.rows.agent[version.split == TRAIN]).isdisjoint(version.rows.agent[version.split == TEST])


def test_failure_10_each_agent_has_a_history_of_its_own_from_what_was_known_by_then(tmp_path: Path) -> None:
    snapshot = write_snapshot(SeedLaw().generate(3_000, seed=3), tmp_path / "snapshots")
    report = build_dataset(tmp_path / "snapshots", snapshot.digest, tmp_path / "datasets", now=NOW)
    _, table = load_dataset(tmp_path / "datasets", report.digest)
    rows = table.select(["agent_id", "scored_at", "outcome_at", "outcome_type", *HISTORY_FEATURES]).to_pylist()

    rates = {row["past_positive_rate"] for row in rows}
    assert len(rates) > 20
    for row in rows[::29]:
        known = [
            other["outcome_type"] == "positive"
            for other in rows
            if other["agent_id"] == row["agent_id"] and other["outcome_at"] and other["outcome_at"] < row["scored_at"]
        ]
        assert row["past_positive_rate"] == pytest.approx(sum(known) / len(known) if known else 0.5, abs=1e-6)


def test_failure_10_rollback_goes_to_the_version_that_was_active_before_and_the_state_is_on_disk(
    tmp_path: Path,
) -> None:
    store = embedded_store(tmp_path / "registry.sqlite").versions
    for number in range(4):
        name = f"v1.{number}-synthetic"
        manifest = make_manifest(f"{number}", name)
        register_version(
            store, tmp_path / "models", onnx=onnx_bytes(f"{number}"), manifest=manifest, now=hours(number), actor="test"
        )
        if number != 2:
            promote_blessed(store, "calling_score", name, now=hours(number), actor="test", reason="")

    reopened = embedded_store(tmp_path / "registry.sqlite").versions
    reopened.rollback("calling_score", now=hours(9), actor="test", reason="")

    active = [one.version for one in reopened.list_versions() if one.status == "active"]
    assert active == ["v1.1-synthetic"]
