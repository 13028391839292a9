import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from spots_ml.training.calibration import fit_calibration


def test_slope_and_intercept_of_a_known_law_are_found() -> None:
    generator = np.random.default_rng(0)
    logits = 2 * generator.normal(size=50_000)
    positive = generator.random(50_000) < expit(0.5 * logits - 0.3)
    slope, intercept = fit_calibration(logits, positive)
    assert slope == pytest.approx(0.5, abs=0.03)
    assert intercept == pytest.approx(-0.3, abs=0.03)


def test_it_agrees_with_an_unpenalised_logistic_regression() -> None:
    generator = np.random.default_rng(1)
    logits = generator.normal(size=2_000)
    positive = generator.random(2_000) < expit(1.7 * logits + 0.4)
    slope, intercept = fit_calibration(logits, positive)
    peer = LogisticRegression(C=1e9).fit(logits[:, None], positive)
    # Platt's smoothed targets differ by one row in a thousand.
    assert slope == pytest.approx(peer.coef_[0, 0], abs=0.02)
    assert intercept == pytest.approx(peer.intercept_[0], abs=0.02)


@pytest.mark.parametrize("positive", [np.ones(10, bool), np.zeros(10, bool)])
def test_one_class_alone_teaches_nothing(positive: np.ndarray) -> None:
    assert fit_calibration(np.linspace(-1, 1, 10), positive) == (1.0, 0.0)


def test_equal_logits_teach_nothing() -> None:
    assert fit_calibration(np.full(10, 0.3), np.arange(10) > 4) == (1.0, 0.0)


def test_no_rows_teach_nothing() -> None:
    assert fit_calibration(np.zeros(0), np.zeros(0, bool)) == (1.0, 0.0)


def test_a_ranking_is_never_turned_round() -> None:
    logits = np.linspace(-3, 3, 200)
    slope, intercept = fit_calibration(logits, logits < 0)
    assert slope == 0.05
    assert expit(slope * logits + intercept).mean() == pytest.approx(0.5, abs=0.01)


def test_a_perfect_ranking_stays_finite() -> None:
    logits = np.linspace(-0.1, 0.1, 1_000)
    slope, intercept = fit_calibration(logits, logits > 0)
    assert slope == 20.0
    assert abs(intercept) < 0.1
