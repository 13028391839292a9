"""What is planted is found, what says nothing stays at the floor."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spots_ml.errors import ArtifactError, ContractError, InsufficientDataError
from spots_ml.explaining.importance import FeatureImportance, measure_importance
from spots_ml.explaining.importance_files import load_importance, save_importance
from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.interactions.learning.splits import TEST, TRAIN, VALIDATION
from spots_ml.models.declared import ModelType, declared_types, model_spec
from spots_ml.training.config import TrainingConfig
from spots_ml.training.fit import fit
from spots_ml.training.model import train_model
from spots_ml.training.trained_model import TrainedModel


@pytest.fixture(scope="module", params=declared_types())
def measured(
    request: pytest.FixtureRequest, rows: LabelledRows, split: np.ndarray
) -> tuple[TrainedModel, FeatureImportance]:
    model: TrainedModel = request.getfixturevalue(request.param)
    return model, measure_importance(model, rows, split)


def test_what_decides_is_found_and_what_says_nothing_is_not_above_noise(
    measured: tuple[TrainedModel, FeatureImportance],
) -> None:
    _, found = measured
    groups = {one.name: one for one in found.groups}
    assert all(groups[name].above_noise for name in ("agent vibes", "opportunity vibes", "context", "match"))
    assert not any(groups[name].above_noise for name in groups if name in ("timing", "history"))
    inputs = {one.name: one for one in found.inputs}
    assert all(inputs[name].above_noise for name in ("energy_match", "vibe_compatibility"))
    by_value = sorted(found.inputs, key=lambda one: -one.value)
    assert {by_value[0].name, by_value[1].name} <= {
        "energy_match",
        "vibe_compatibility",
        "agent_overall_energy",
        "opportunity_overall_energy",
    }


def test_few_inputs_that_say_nothing_get_above_the_floor(measured: tuple[TrainedModel, FeatureImportance]) -> None:
    _, found = measured
    silent = [
        one
        for one in found.inputs
        if one.name.startswith(("optimal_", "past_", "user_patterns", "opportunity_timing", "activity", "average"))
    ]
    assert len(silent) >= 4
    assert sum(one.above_noise for one in silent) == 0


def test_the_probe_is_worth_nothing_and_its_network_about_as_good(
    measured: tuple[TrainedModel, FeatureImportance],
) -> None:
    model, found = measured
    strongest = max(one.value for one in found.inputs)
    assert found.probe.low <= 0.0 <= found.probe.high
    assert 0.0 <= found.floor < 0.1 * strongest
    assert found.floor == max(0.0, found.probe.high)
    assert found.probe_error < 1.3 * found.error
    assert found.error == pytest.approx(model.evaluation.value("network", found.metric), rel=1e-6)


def test_above_noise_means_that_the_interval_lies_above_the_floor(
    measured: tuple[TrainedModel, FeatureImportance],
) -> None:
    _, found = measured
    everything = (*found.groups, *found.inputs)
    assert all(one.above_noise == (one.low > found.floor) for one in everything)
    assert all(one.low <= one.value <= one.high for one in everything)
    assert [one.name for one in found.groups if one.recomputed] == ["agent vibes", "opportunity vibes"]


def test_measuring_again_gives_the_very_same_document(
    measured: tuple[TrainedModel, FeatureImportance], rows: LabelledRows, split: np.ndarray, tmp_path: Path
) -> None:
    model, found = measured
    again = measure_importance(model, rows, split)
    assert again == found
    digest = save_importance(found, tmp_path)
    assert save_importance(again, tmp_path) == digest
    assert load_importance(tmp_path, digest) == found


def test_permuting_a_side_takes_its_matches_along(rows: LabelledRows, split: np.ndarray, quick: TrainingConfig) -> None:
    """A model that sees the agent through the matches only: without recomputing, the agent would be worth nothing."""
    blind = rows.features.copy()
    blind[:, :24] = 0.5
    seen = replace(rows, features=blind)
    model = train_model(seen, split, "calling_score", quick, seed=0, dataset_digest="d" * 64, kind="synthetic")
    groups = {one.name: one for one in measure_importance(model, rows, split, n_repeats=4).groups}
    assert groups["agent vibes"].above_noise
    assert groups["agent vibes"].value > 0.01


def test_an_ignored_input_is_worth_exactly_nothing(
    rows: LabelledRows, split: np.ndarray, quick: TrainingConfig
) -> None:
    constant = replace(rows, history=np.full_like(rows.history, 0.5))
    model = train_model(constant, split, "outcome", quick, seed=0, dataset_digest="d" * 64, kind="synthetic")
    found = measure_importance(model, constant, split, n_repeats=2)
    history = next(one for one in found.groups if one.name == "history")
    assert (history.value, history.low, history.high, history.above_noise) == (0.0, None, None, False)


def test_test_rows_of_one_agent_are_refused_before_anything_is_trained(
    rows: LabelledRows, split: np.ndarray, calling_score: TrainedModel
) -> None:
    lonely = replace(rows, agent=np.where(split == TEST, 0, rows.agent))
    with pytest.raises(InsufficientDataError, match="more agents"):
        measure_importance(calling_score, lonely, split, on_epoch=lambda epoch: pytest.fail("training began"))


def test_a_damaged_missing_or_renamed_document_is_refused(
    measured: tuple[TrainedModel, FeatureImportance], tmp_path: Path
) -> None:
    digest = save_importance(measured[1], tmp_path)
    path = tmp_path / f"{digest}.json"
    (tmp_path / f"{'0' * 64}.json").write_bytes(path.read_bytes())
    with pytest.raises(ArtifactError, match=digest[:12]):
        load_importance(tmp_path, "0" * 64)
    path.write_bytes(path.read_bytes().replace(b"noise probe", b"noise prode"))
    with pytest.raises(ArtifactError, match="not as it was written"):
        load_importance(tmp_path, digest)
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_importance(tmp_path, "1" * 64)


@pytest.mark.parametrize("model_type", declared_types())
def test_a_network_with_an_extra_input_learns_from_it(
    rows: LabelledRows, split: np.ndarray, quick: TrainingConfig, model_type: ModelType
) -> None:
    told = rows.target(model_type)[:, None].astype(np.float32)
    inputs = np.concatenate([rows.inputs(model_type), told], axis=1)
    parts = [(inputs[split == part], rows.target(model_type)[split == part]) for part in (TRAIN, VALIDATION)]
    fitted = fit(parts[0], parts[1], quick, model_type=model_type, seed=0, n_extra_inputs=1)
    assert len(fitted.network.shift) == model_spec(model_type).n_inputs + 1
    assert fitted.history[fitted.best_epoch].validation_error < 0.02


@pytest.mark.parametrize(("width", "n_extra"), [(40, 0), (39, 1), (38, 0)])
def test_inputs_of_another_width_are_refused_before_training(
    rows: LabelledRows, quick: TrainingConfig, width: int, n_extra: int
) -> None:
    part = (np.zeros((20, width), np.float32), rows.outcome_score[:20])
    with pytest.raises(ContractError, match=f"{width} inputs; expected {39 + n_extra}"):
        fit(part, part, quick, model_type="calling_score", seed=0, n_extra_inputs=n_extra)
