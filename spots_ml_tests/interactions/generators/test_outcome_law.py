"""Closed forms against chance: a million draws for every score."""

import numpy as np
import pytest
from scipy import integrate, stats

from spots_ml.interactions.generators.hybrid_law import HYBRID_OUTCOME
from spots_ml.interactions.generators.outcome_law import OutcomeLaw, clipped_normal_mean
from spots_ml.interactions.generators.seed_law import SEED_OUTCOME

LAWS = pytest.mark.parametrize("law", [SEED_OUTCOME, HYBRID_OUTCOME], ids=["seed", "hybrid"])


@LAWS
@pytest.mark.parametrize("score", [0.2, 0.55, 0.6, 0.69, 0.7, 0.85, 1.0])
def test_mean_and_positive_probability_agree_with_a_million_draws(law: OutcomeLaw, score: float) -> None:
    outcome = law.draw(np.full(1_000_000, score), np.random.default_rng(int(score * 100)))
    positive = np.mean(outcome >= 0.7)
    assert law.expected_outcome(np.array([score]))[0] == pytest.approx(outcome.mean(), abs=5 * 0.25 / 1_000)
    assert law.positive_probability(np.array([score]))[0] == pytest.approx(positive, abs=5 * 0.5 / 1_000)


@pytest.mark.parametrize("mean", [0.0, 0.3, 0.6, 0.95, 1.0])
@pytest.mark.parametrize("sd", [0.1, 0.15, 0.5])
def test_clipped_normal_mean_agrees_with_numerical_integration(mean: float, sd: float) -> None:
    inside, _ = integrate.quad(lambda x: x * stats.norm.pdf(x, mean, sd), 0, 1)
    expected = inside + stats.norm.sf(1, mean, sd)
    assert clipped_normal_mean(np.array([mean]), sd)[0] == pytest.approx(expected, abs=1e-9)


@LAWS
def test_the_threshold_itself_is_called_and_the_next_lower_score_is_not(law: OutcomeLaw) -> None:
    scores = law.called_from + np.array([0.0, 1e-8, -1e-8, -1 / 1_200_000])
    assert law.called(scores).tolist() == [True, True, True, False]


@LAWS
def test_outcomes_have_four_decimals_and_lie_in_range(law: OutcomeLaw) -> None:
    outcome = law.draw(np.linspace(0, 1, 10_000), np.random.default_rng(0))
    np.testing.assert_array_equal(outcome, np.round(outcome, 4))
    assert outcome.min() >= 0.0
    assert outcome.max() <= 1.0


def test_an_uncalled_agent_of_the_hybrid_law_is_never_positive() -> None:
    assert HYBRID_OUTCOME.positive_probability(np.array([0.1, 0.69])).tolist() == [0.0, 0.0]
