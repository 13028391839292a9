import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from spots_ml.errors import ContractError
from spots_ml.explaining.attribution import integrated_gradients
from spots_ml.models.declared import ModelType, declared_types, model_spec
from spots_ml.training.network import ScoringNetwork
from spots_ml.training.trained_model import TrainedModel


def any_network(model_type: ModelType, seed: int) -> ScoringNetwork:
    generator = torch.Generator().manual_seed(seed)
    network = ScoringNetwork(model_type)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.25)
        network.shift.copy_(torch.rand(network.shift.shape, generator=generator))
        network.scale.copy_(3 * torch.rand(network.scale.shape, generator=generator))
        network.calibration_slope.fill_(1.3)
        network.calibration_intercept.fill_(-0.2)
    return network


def some_rows(model_type: ModelType, seed: int, n_rows: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).random((n_rows, model_spec(model_type).n_inputs), dtype=np.float32)


@given(seed=st.integers(0, 10_000), model_type=st.sampled_from(declared_types()))
@settings(max_examples=15, deadline=None)
def test_contributions_add_up_and_the_error_achieved_is_told(seed: int, model_type: ModelType) -> None:
    network, rows = any_network(model_type, seed), some_rows(model_type, seed)
    found = integrated_gradients(network, rows)
    with torch.inference_mode():
        answers = network(torch.from_numpy(rows))[:, 0].numpy()
        baseline = float(network(network.shift[None])[0, 0])
    assert np.abs(found.contributions.sum(axis=1) - (answers - baseline)).max() < 2e-6
    assert found.completeness_error.max() < 1e-6
    told = np.abs(found.contributions.sum(axis=1) - (found.answers - found.baseline_answer))
    assert np.allclose(found.completeness_error, told, atol=1e-14)


def test_they_are_the_mean_gradient_on_the_path_taken_in_very_many_steps() -> None:
    network, rows = any_network("calling_score", 7), some_rows("calling_score", 7, 1)
    origin = network.shift.double()
    distance = torch.from_numpy(rows).double()[0] - origin
    shares = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000
    exact = any_network("calling_score", 7).double()
    total = torch.zeros_like(origin)
    for part in shares.split(20_000):
        points = (origin + part[:, None] * distance).requires_grad_()
        total += torch.autograd.grad(exact(points).sum(), points)[0].sum(dim=0)
    expected = (distance * total / len(shares)).numpy()
    assert np.abs(integrated_gradients(network, rows).contributions[0] - expected).max() < 2e-6


def linear_in_the_logit() -> tuple[ScoringNetwork, np.ndarray]:
    """A network whose logit is a weighted sum: every ReLU stays open on the contract's range."""
    network = ScoringNetwork("calling_score")
    weights = np.random.default_rng(0).normal(size=39).astype(np.float32)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        first, second, third = network.layers
        first.weight[:39] = torch.eye(39)  # type: ignore[index,operator]
        second.weight[:39, :39] = torch.eye(39)  # type: ignore[index,operator]
        third.weight[0, :39] = torch.from_numpy(weights)  # type: ignore[index,operator]
        network.calibration_slope.fill_(0.7)
    return network, 0.7 * weights


def test_of_a_weighted_sum_under_a_sigmoid_they_are_its_terms_scaled_to_the_answer() -> None:
    network, weights = linear_in_the_logit()
    rows, baseline = some_rows("calling_score", 5), np.full(39, 0.25, np.float32)
    found = integrated_gradients(network, rows, baseline)
    terms = (rows.astype(float) - baseline) * weights
    start = float(baseline @ weights)
    rise = expit(start + terms.sum(axis=1)) - expit(start)
    assert np.allclose(found.contributions, terms * (rise / terms.sum(axis=1))[:, None], atol=1e-9)
    assert np.all(found.n_pieces == 64)


def test_an_ignored_input_and_one_at_the_baseline_have_exactly_nothing() -> None:
    network, rows = any_network("outcome", 3), some_rows("outcome", 3)
    network.scale[[4, 40]] = 0.0
    rows[:, 9] = network.shift[9]
    found = integrated_gradients(network, rows).contributions
    assert np.all(found[:, [4, 9, 40]] == 0.0)
    assert np.all(found[:, 5] != 0.0)


def test_the_network_stays_as_it_was(calling_score: TrainedModel) -> None:
    before = {name: tensor.clone() for name, tensor in calling_score.network.state_dict().items()}
    integrated_gradients(calling_score.network, calling_score.golden[:2])
    after = calling_score.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any(parameter.requires_grad for parameter in calling_score.network.parameters())


def test_without_refinement_the_error_that_is_left_is_reported(outcome: TrainedModel) -> None:
    rows = outcome.golden[:20]
    coarse = integrated_gradients(outcome.network, rows, max_halvings=0)
    fine = integrated_gradients(outcome.network, rows)
    assert np.all(coarse.n_pieces == 64)
    assert coarse.completeness_error.max() > 1e-5 > 1e-6 > fine.completeness_error.max()
    assert np.all(fine.n_pieces >= 64)


def test_a_row_alone_gives_what_it_gives_among_others(outcome: TrainedModel) -> None:
    rows = outcome.golden[:6]
    together = integrated_gradients(outcome.network, rows).contributions
    alone = integrated_gradients(outcome.network, rows[4:5]).contributions
    assert np.allclose(together[4], alone[0], atol=1e-12)


def test_no_rows_give_no_contributions(outcome: TrainedModel) -> None:
    assert integrated_gradients(outcome.network, np.zeros((0, 45))).contributions.shape == (0, 45)


@pytest.mark.parametrize(("shape", "baseline"), [((2, 39), None), ((2, 45), 39), ((45,), None)])
def test_what_does_not_fit_is_refused(outcome: TrainedModel, shape: tuple[int, ...], baseline: int | None) -> None:
    with pytest.raises(ContractError, match="raw contract values"):
        integrated_gradients(outcome.network, np.zeros(shape), None if baseline is None else np.zeros(baseline))
