import numpy as np
import pytest

from spots_ml.training.learner import start_first_layer


@pytest.mark.parametrize(("n_inputs", "n_known"), [(39, 51), (45, 57)])
def test_units_start_as_halves_of_the_distances_between_the_sides(n_inputs: int, n_known: int) -> None:
    generator = np.random.default_rng(0)
    inputs = generator.random((500, n_inputs))
    shift, scale = inputs.mean(0), 1 / inputs.std(0)
    layer = start_first_layer(inputs, shift, scale, 128, generator)
    units = np.maximum((inputs - shift) * scale @ layer.weight.T + layer.bias, 0)
    difference = inputs[:, 0] - inputs[:, 12]
    for unit, half in ((0, np.maximum(difference, 0)), (1, np.maximum(-difference, 0))):
        assert np.allclose(units[:, unit], half / half.std())
    assert layer.group[0] == layer.group[1] != layer.group[2]
    assert layer.n_known == n_known
    assert np.allclose(units.mean(0), layer.mean)
    assert np.allclose(units.std(0), 1)


def test_an_input_that_does_not_vary_moves_no_unit() -> None:
    generator = np.random.default_rng(0)
    inputs = generator.random((500, 39))
    inputs[:, [0, 12, 30]] = 0.5
    deviation = inputs.std(0)
    scale = np.divide(1, deviation, out=np.zeros(39), where=deviation > 0)
    layer = start_first_layer(inputs, inputs.mean(0), scale, 128, generator)
    assert np.all(layer.weight[:, [0, 12, 30]] == 0)
    assert np.all(np.isfinite(layer.weight))
    assert np.all(np.isfinite(layer.bias))
