"""Predictions from earlier blocks alone."""

import numpy as np

from spots_ml.estimates.prediction import block_starts, predicted


def of(covariates, values, begins=None):
    begins = np.ones(len(values), bool) if begins is None else begins
    return predicted(covariates, values[:, None], block_starts(begins), low=np.array([-1.0]), high=np.array([1.0]))[
        :, 0
    ]


def world(rng, n):
    covariate = rng.uniform(-1.0, 1.0, (n, 1))
    return covariate, np.clip(0.2 + 0.5 * covariate[:, 0] + rng.normal(0.0, 0.1, n), -1.0, 1.0)


def test_what_comes_later_changes_no_prediction():
    covariates, values = world(np.random.default_rng(1), 900)
    whole = of(covariates, values)
    for n in (1, 17, 100, 555):
        assert np.array_equal(of(covariates[:n], values[:n]), whole[:n])


def test_no_value_has_a_part_in_its_own_prediction_or_in_those_of_its_moment():
    covariates, values = world(np.random.default_rng(2), 300)
    begins = np.arange(300) % 50 == 0
    changed = values.copy()
    changed[150:200] = 1.0
    before, after = of(covariates, values, begins), of(covariates, changed, begins)
    assert np.array_equal(before[:200], after[:200])
    assert not np.allclose(before[200:], after[200:])


def test_it_finds_what_there_is_to_know_and_follows_a_drift():
    covariates, values = world(np.random.default_rng(3), 4_000)
    assert np.std(values[500:] - of(covariates, values)[500:]) < 0.11
    drifted = np.clip(values - np.where(np.arange(4_000) > 2_000, 0.4, 0.0), -1.0, 1.0)
    assert abs(np.mean((drifted - of(covariates, drifted))[-500:])) < 0.2


def test_predictions_stay_within_what_values_can_be():
    covariates = np.linspace(-50.0, 50.0, 200)[:, None]
    told = of(covariates, np.sign(covariates[:, 0]))
    assert told.min() >= -1.0 and told.max() <= 1.0 and told[0] == 0.0


def test_nothing_is_predicted_of_nothing():
    assert of(np.empty((0, 1)), np.empty(0)).shape == (0,)
