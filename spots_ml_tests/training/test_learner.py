import numpy as np
import pytest
import torch

from spots_ml.models.declared import ModelType, declared_types, model_spec
from spots_ml.training.config import TrainingConfig
from spots_ml.training.learner import Learner


def some_rows(model_type: ModelType, n_rows: int = 200) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    return generator.random((n_rows, model_spec(model_type).n_inputs), dtype=np.float32), generator.random(
        n_rows, dtype=np.float32
    )


@pytest.mark.parametrize("model_type", declared_types())
def test_the_folded_network_computes_what_was_learned(model_type: ModelType) -> None:
    inputs, targets = some_rows(model_type)
    learner = Learner(model_type, inputs, targets, TrainingConfig(), seed=3)
    with torch.no_grad():
        for parameter in learner.parameters:
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))
        expected = learner.logits(learner.parameters, learner.standardise(inputs))
        found = learner.fold(learner.parameters).logits(torch.from_numpy(inputs))
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("model_type", "n_parameters"), [("calling_score", 13_441), ("outcome", 16_257)])
def test_the_folded_network_has_the_specified_size(model_type: ModelType, n_parameters: int) -> None:
    learner = Learner(model_type, *some_rows(model_type), TrainingConfig(), seed=0)
    network = learner.fold(learner.parameters)
    assert sum(parameter.numel() for parameter in network.parameters()) == n_parameters


def test_the_written_out_gradient_of_the_penalty_is_the_one_of_autograd() -> None:
    inputs, targets = some_rows("calling_score")
    config = TrainingConfig()
    learner = Learner("calling_score", inputs, targets, config, seed=0)
    index = learner.parameters[2]
    copy = index.detach().clone().requires_grad_()
    groups = torch.zeros(116).index_add(0, learner._group, copy.square().sum(dim=0))
    prices = torch.tensor([config.known_unit_penalty] * 39 + [config.free_unit_penalty] * 77) * (7_000 / 200) ** 0.5
    (groups.add(1e-8).sqrt() * prices).sum().backward()
    index.grad = torch.zeros_like(index)
    learner.add_price()
    assert torch.allclose(index.grad, copy.grad, rtol=1e-5)


def test_the_global_random_state_has_no_say() -> None:
    torch.manual_seed(1)
    first = Learner("calling_score", *some_rows("calling_score"), TrainingConfig(), seed=0)
    torch.manual_seed(2)
    second = Learner("calling_score", *some_rows("calling_score"), TrainingConfig(), seed=0)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters, second.parameters, strict=True))
