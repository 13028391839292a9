import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spots_ml.errors import ContractError
from spots_ml.explaining.shapley import group_shapley

GROUPS = {"first": [0, 3], "second": [1], "third": [2, 4]}


def a_model(seed: int) -> Callable[[np.ndarray], np.ndarray]:
    """Not linear, not additive."""
    generator = np.random.default_rng(seed)
    hidden, out = generator.normal(size=(5, 8)), generator.normal(size=8)
    return lambda x: (1 / (1 + np.exp(-np.tanh(x @ hidden) @ out))).astype(np.float32)


@given(seed=st.integers(0, 10_000), n_background=st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_contributions_add_up_to_the_answer_less_that_on_the_background(seed: int, n_background: int) -> None:
    generator = np.random.default_rng(seed)
    model = a_model(seed)
    inputs, background = (generator.random((n, 5), dtype=np.float32) for n in (4, n_background))
    found = group_shapley(model, inputs, background, GROUPS)
    distance = model(inputs).astype(float) - model(background).astype(float).mean()
    assert np.allclose(found.contributions.sum(axis=1), distance, atol=1e-12, rtol=0)
    assert found.completeness_error.max() < 1e-12
    assert found.baseline_answer == pytest.approx(float(model(background).astype(float).mean()), abs=1e-15)


def test_they_are_the_mean_over_all_orders_in_which_groups_arrive() -> None:
    generator = np.random.default_rng(1)
    model, row, background = a_model(1), generator.random((1, 5)), generator.random((3, 5))
    expected = np.zeros(3)
    for order in itertools.permutations(range(3)):
        mixed = background.copy()
        before = model(mixed).astype(float).mean()
        for group in order:
            mixed[:, list(GROUPS.values())[group]] = row[0, list(GROUPS.values())[group]]
            after = model(mixed).astype(float).mean()
            expected[group] += (after - before) / math.factorial(3)
            before = after
    assert np.allclose(group_shapley(model, row, background, GROUPS).contributions[0], expected, atol=1e-12)


def test_of_a_sum_they_are_the_terms() -> None:
    weights = np.array([1.0, -2.0, 3.0, 0.5, 4.0])
    inputs, background = np.random.default_rng(2).random((2, 6, 5))
    found = group_shapley(lambda x: x @ weights, inputs, background, GROUPS)
    terms = (inputs - background.mean(axis=0)) * weights
    expected = np.stack([terms[:, indices].sum(axis=1) for indices in GROUPS.values()], axis=1)
    assert np.allclose(found.contributions, expected, atol=1e-12)


def test_an_ignored_group_has_exactly_nothing() -> None:
    model = a_model(3)

    def deaf(x: np.ndarray) -> np.ndarray:
        heard = x.copy()
        heard[:, [1]] = 0.5
        return model(heard)

    inputs, background = np.random.default_rng(3).random((2, 6, 5), dtype=np.float32)
    assert np.all(group_shapley(deaf, inputs, background, GROUPS).contributions[:, 1] == 0.0)


def test_rows_are_independent_of_how_many_are_asked_at_once() -> None:
    model = a_model(4)
    inputs, background = (np.random.default_rng(n).random((n, 5), dtype=np.float32) for n in (3, 5_000))
    together = group_shapley(model, inputs, background, GROUPS)
    alone = group_shapley(model, inputs[1:2], background, GROUPS)
    assert np.allclose(together.contributions[1], alone.contributions[0], atol=1e-12)


def test_no_rows_give_no_contributions() -> None:
    found = group_shapley(a_model(5), np.zeros((0, 5)), np.zeros((1, 5)), GROUPS)
    assert found.contributions.shape == (0, 3)


@pytest.mark.parametrize(
    ("inputs", "background", "groups", "told"),
    [
        ((2, 5), (0, 5), GROUPS, "at least one row"),
        ((2, 5), (1, 4), GROUPS, "expected \\(n_rows, n_inputs\\)"),
        ((2, 5), (1, 5), {"a": [0, 1, 2]}, "exactly once"),
        ((2, 5), (1, 5), {"a": [0, 1, 2], "b": [2, 3, 4]}, "exactly once"),
        ((2, 5), (1, 5), {}, "0 groups"),
        ((2, 13), (1, 13), {str(n): [n] for n in range(13)}, "13 groups"),
    ],
)
def test_what_does_not_fit_is_refused(
    inputs: tuple[int, int], background: tuple[int, int], groups: dict[str, list[int]], told: str
) -> None:
    with pytest.raises(ContractError, match=told):
        group_shapley(lambda x: x[:, 0], np.zeros(inputs), np.zeros(background), groups)
