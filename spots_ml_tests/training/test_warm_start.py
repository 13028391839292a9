"""Learning on from a trained network: the same function at first, replay, and nothing judged on what was learned."""

import dataclasses

import numpy as np
import pytest
import torch

from spots_ml.errors import ArtifactError, ContractError
from spots_ml.interactions.learning.dataset import LabelledRows
from spots_ml.interactions.learning.splits import PURGED, TEST, TRAIN, VALIDATION
from spots_ml.training.config import TrainingConfig
from spots_ml.training.learner import Learner
from spots_ml.training.model import train_model
from spots_ml.training.trained_model import load_trained_model, save_trained_model, split_digest, split_of
from spots_ml.training.warm.origin import FULL, START, WarmOrigin
from spots_ml.training.warm.provenance import WarmStart, without_learned
from spots_ml_tests.training.learning_rows import rows_of_a_step


@pytest.fixture(scope="module")
def more_rows():
    """The rows of the fixtures' model, and as many of other agents behind them."""
    old, new = rows_of_a_step(), rows_of_a_step(seed=1)
    new = dataclasses.replace(new, agent=new.agent + old.agent.max() + 1)
    fields = [field.name for field in dataclasses.fields(LabelledRows)]
    return LabelledRows(**{name: np.concatenate([getattr(old, name), getattr(new, name)]) for name in fields})


@pytest.fixture
def origin(calling_score, rows, split, more_rows):
    agents = np.unique(rows.agent[np.isin(split, (TRAIN, VALIDATION))])
    learned = np.isin(more_rows.agent, agents)
    return WarmOrigin(calling_score, learned, learned)


@pytest.fixture
def new_split(more_rows, origin):
    from spots_ml.interactions.learning.splits import split_rows

    plain = split_rows(more_rows.agent, more_rows.scored_at, seed=0, pairs=more_rows.pairs())
    return without_learned(plain, origin.learned)


def warm(rows, split, origin, **changes):
    config = TrainingConfig(n_resamples=20, warm_start=True, warm_epochs=4, **changes)
    return train_model(
        rows, split, "calling_score", config, seed=0, dataset_digest="e" * 64, kind="synthetic", origin=origin
    )


@pytest.mark.parametrize("fixture", ["calling_score", "outcome"])
def test_a_network_that_was_unfolded_is_the_same_function(fixture, rows, request):
    model = request.getfixturevalue(fixture)
    inputs = rows.inputs(model.model_type)
    learner = Learner(model.model_type, inputs, rows.target(model.model_type), TrainingConfig(), 3, model.network)
    again = learner.fold(learner.parameters)

    with torch.inference_mode():
        some = torch.from_numpy(inputs[:500])
        assert torch.allclose(again.logits(some), model.network.logits(some), atol=2e-4)


def test_a_network_of_another_architecture_is_refused_in_words(calling_score, rows):
    with pytest.raises(ContractError, match=r"beyond 2 combinations of units: it is of another architecture; give the"):
        Learner(
            "calling_score", rows.features, rows.outcome_score, TrainingConfig(n_indices=2), 0, calling_score.network
        )


def test_every_new_row_is_learned_from_and_a_share_of_the_others(more_rows, new_split, origin):
    training = new_split == TRAIN
    for share in (0.0, 0.3, 1.0):
        chosen = origin.rows_to_learn(training, share, seed=5)
        assert not (chosen & ~training).any()
        assert (chosen | origin.seen)[training].all()
        replayed = (chosen & origin.seen).sum() / (training & origin.seen).sum()
        assert replayed == pytest.approx(share, abs=0.03)


def test_nobody_whom_the_start_learned_from_chooses_calibrates_or_judges(new_split, origin, more_rows):
    assert not origin.learned[np.isin(new_split, (VALIDATION, TEST))].any()
    assert (new_split == PURGED).sum() > 0 and (new_split == TEST).sum() > 200


def test_a_warm_start_learns_on_and_says_where_it_came_from(more_rows, new_split, origin, calling_score, tmp_path):
    model = warm(more_rows, new_split, origin)
    told = model.document.warm_start

    assert (told.trained_digest, told.weights_digest) == (calling_score.digest, calling_score.document.weights_digest)
    training = new_split == TRAIN
    assert told.n_new_rows == (training & ~origin.seen).sum()
    assert told.n_replayed_rows == pytest.approx(0.5 * (training & origin.seen).sum(), rel=0.1)
    assert len(model.document.history) <= 4
    assert model.document.split_digest == split_digest(new_split)
    assert np.array_equal(split_of(model.document, more_rows), new_split)
    assert model.evaluation.value("network", "mse") < model.evaluation.value(START, "mse") * 1.02

    read = load_trained_model(tmp_path, save_trained_model(model, tmp_path))
    assert read.document == model.document


def test_the_same_warm_start_gives_the_same_model_and_another_start_another(more_rows, new_split, origin, outcome):
    first, again = (warm(more_rows, new_split, origin) for _ in range(2))
    assert first.digest == again.digest
    assert warm(more_rows, new_split, origin, replay_share=0.0).digest != first.digest


def test_it_is_compared_with_a_training_from_the_beginning_where_the_recipe_says_so(more_rows, new_split, origin):
    model = warm(more_rows, new_split, origin, compare_with_full=True, max_epochs=12)
    told, evaluation = model.document.warm_start, model.evaluation

    assert told.n_row_passes == 4 * (told.n_new_rows + told.n_replayed_rows)
    assert told.full_row_passes == 12 * (new_split == TRAIN).sum()
    assert evaluation.value(FULL, "mse") < evaluation.value("constant", "mse")
    assert {START, FULL} <= set(evaluation.leads)


def test_rows_that_are_not_those_of_the_warm_start_are_refused(new_split):
    told = WarmStart.of(
        trained_digest="a" * 64,
        weights_digest="b" * 64,
        learned=np.zeros(100, bool),
        n_new_rows=1,
        n_replayed_rows=0,
        n_row_passes=4,
    )
    with pytest.raises(ArtifactError, match="these are not its rows"):
        told.purged(new_split)


def test_a_recipe_without_a_warm_start_is_the_one_it_always_was():
    told = TrainingConfig().model_dump(mode="json")
    assert not {"warm_start", "warm_epochs", "warm_rate", "replay_share", "compare_with_full"} & set(told)
    assert TrainingConfig(warm_start=True).digest() != TrainingConfig().digest()
