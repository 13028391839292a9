from pathlib import Path

import numpy as np
import pytest
import torch

from spots_ml.errors import ArtifactError, InsufficientDataError
from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.interactions.learning.splits import TRAIN, VALIDATION
from spots_ml.training.config import TrainingConfig
from spots_ml.training.fit import Epoch, Fit, Part, fit
from spots_ml.training.trained_model import predict

Parts = tuple[Part, Part]


@pytest.fixture
def parts(rows: LabelledRows, split: np.ndarray) -> Parts:
    train, validation = (rows.take(split == part) for part in (TRAIN, VALIDATION))
    return (train.features, train.outcome_score), (validation.features, validation.outcome_score)


def weights(fitted: Fit) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in fitted.network.state_dict().items()}


def test_the_same_rows_and_seed_give_the_same_weights_bit_by_bit(parts: Parts, quick: TrainingConfig) -> None:
    first = fit(*parts, quick, model_type="calling_score", seed=1)
    torch.manual_seed(99)
    torch.set_num_threads(2)
    second = fit(*parts, quick, model_type="calling_score", seed=1)
    assert weights(first) == weights(second)
    assert first.history == second.history
    assert torch.get_num_threads() == 2


def test_another_seed_gives_other_weights(parts: Parts, quick: TrainingConfig) -> None:
    runs = [fit(*parts, quick, model_type="calling_score", seed=seed) for seed in (1, 2)]
    assert weights(runs[0]) != weights(runs[1])


def test_the_best_epoch_is_kept_and_not_the_last(parts: Parts) -> None:
    (inputs, targets), validation = parts
    noise = np.random.default_rng(0).random(len(targets)).astype(np.float32)
    config = TrainingConfig(max_epochs=40, patience=40, known_unit_penalty=0, free_unit_penalty=0)
    fitted = fit((inputs, noise), validation, config, model_type="calling_score", seed=0)
    errors = [epoch.validation_error for epoch in fitted.history]
    assert fitted.best_epoch == int(np.argmin(errors)) < len(errors) - 1
    with torch.no_grad():
        answers = fitted.network(torch.from_numpy(validation[0]))[:, 0].numpy()
    assert np.mean((answers - validation[1]) ** 2) == pytest.approx(min(errors), rel=1e-4)


def test_training_stops_when_patience_is_over(parts: Parts) -> None:
    (inputs, targets), validation = parts
    config = TrainingConfig(max_epochs=200, patience=3)
    fitted = fit((inputs, 1 - targets), validation, config, model_type="calling_score", seed=0)
    assert len(fitted.history) == fitted.best_epoch + 1 + 3


@pytest.mark.parametrize("cut_after", [0, 4, 10, 11])
def test_work_cut_off_at_any_epoch_goes_on_to_the_same_weights(
    parts: Parts, quick: TrainingConfig, tmp_path: Path, cut_after: int
) -> None:
    class CutOffError(Exception):
        pass

    def cut(epoch: Epoch) -> None:
        if epoch.number == cut_after:
            raise CutOffError

    whole = fit(*parts, quick, model_type="calling_score", seed=5)
    with pytest.raises(CutOffError):
        fit(*parts, quick, model_type="calling_score", seed=5, on_epoch=cut, checkpoint_dir=tmp_path)
    seen: list[int] = []
    resumed = fit(
        *parts,
        quick,
        model_type="calling_score",
        seed=5,
        on_epoch=lambda epoch: seen.append(epoch.number),
        checkpoint_dir=tmp_path,
    )
    assert weights(resumed) == weights(whole)
    assert resumed.history == whole.history
    assert seen == list(range(cut_after + 1, 12))
    assert list(tmp_path.iterdir()) == []


def test_other_work_does_not_go_on_from_a_checkpoint(parts: Parts, quick: TrainingConfig, tmp_path: Path) -> None:
    def cut(epoch: Epoch) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(*parts, quick, model_type="calling_score", seed=5, on_epoch=cut, checkpoint_dir=tmp_path)
    seen: list[int] = []
    fit(
        *parts,
        quick,
        model_type="calling_score",
        seed=6,
        on_epoch=lambda epoch: seen.append(epoch.number),
        checkpoint_dir=tmp_path,
    )
    assert seen[0] == 0
    assert len(list(tmp_path.iterdir())) == 1


def test_a_damaged_checkpoint_is_named(parts: Parts, quick: TrainingConfig, tmp_path: Path) -> None:
    def cut(epoch: Epoch) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(*parts, quick, model_type="calling_score", seed=5, on_epoch=cut, checkpoint_dir=tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ArtifactError, match=path.name):
        fit(*parts, quick, model_type="calling_score", seed=5, checkpoint_dir=tmp_path)


def test_a_step_is_learned_from_a_thousand_rows(parts: Parts) -> None:
    (inputs, targets), validation = parts
    fitted = fit((inputs, targets), validation, TrainingConfig(), model_type="calling_score", seed=0)
    # The noise alone is 0.0025, a constant 0.065.
    assert fitted.history[fitted.best_epoch].validation_error < 0.0060


def test_one_row_scored_alone_equals_the_row_in_a_batch(parts: Parts, quick: TrainingConfig) -> None:
    fitted = fit(*parts, quick, model_type="calling_score", seed=1)
    inputs = torch.from_numpy(parts[1][0][:50])
    with torch.no_grad():
        alone = torch.cat([fitted.network(row[None]) for row in inputs])
        assert torch.allclose(fitted.network(inputs), alone, atol=1e-6)


@pytest.mark.parametrize("which", [0, 1])
def test_a_part_without_rows_is_refused(parts: Parts, quick: TrainingConfig, which: int) -> None:
    changed = list(parts)
    changed[which] = (parts[which][0][:0], parts[which][1][:0])
    with pytest.raises(InsufficientDataError, match="no rows"):
        fit(*changed, quick, model_type="calling_score", seed=0)


def test_few_rows_and_one_epoch_are_enough_to_run(parts: Parts) -> None:
    train, validation = ((inputs[:3], targets[:3]) for inputs, targets in parts)
    fitted = fit(train, validation, TrainingConfig(max_epochs=1), model_type="calling_score", seed=0)
    assert fitted.best_epoch == 0


def test_progress_is_told_in_words(parts: Parts, quick: TrainingConfig) -> None:
    told: list[str] = []
    fit(*parts, quick, model_type="calling_score", seed=0, on_epoch=lambda epoch: told.append(str(epoch)))
    assert len(told) == 12
    assert told[0].startswith("epoch 1 of at most 12: ")


def test_rows_in_several_blocks_are_learned_as_in_one(
    parts: Parts, quick: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit(*parts, quick, model_type="calling_score", seed=1)
    for module in ("fit", "moments"):
        monkeypatch.setattr(f"spots_ml.training.{module}.BLOCK_ROWS", 300)
    cut = fit(*parts, quick, model_type="calling_score", seed=1)
    assert [epoch.validation_error for epoch in cut.history] == pytest.approx(
        [epoch.validation_error for epoch in whole.history], rel=1e-3
    )
    inputs = parts[1][0]
    assert predict(cut.network, inputs) == pytest.approx(predict(whole.network, inputs), abs=0.005)
